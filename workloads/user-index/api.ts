// The HTTP API of the user index (docs/user-index.md). All of it is for services; questions are answered from memory.
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import { z } from 'zod';
import type { Cells } from '../common/cell-client/cells.ts';
import { CellDisabled, OutcomeUnknown, Unavailable } from '../common/cell-client/errors.ts';
import { isPlatform } from '../common/http/platform-token.ts';
import { sendProblem } from '../common/http/server.ts';
import { isUserId, normalizeAddress } from '../common/keys.ts';
import type { DegreeAnswers } from './degree-fast-path.ts';
import type { FriendSync } from './friend-sync.ts';
import { befriend, FriendshipRefused, unfriend, UnknownUser } from './friendships.ts';
import type { FriendGraph } from './graph.ts';
import type { Senders } from '../common/cell-client/senders.ts';

const MAX_USERS = 1_000;
const MAX_BODY = '256kb';

const userId = z.string().refine(isUserId, 'is no user id');
const address = z.string().transform((text, context) => {
  const normalized = normalizeAddress(text);
  if (normalized === undefined) context.addIssue({ code: 'custom', message: 'is no address' });
  return normalized ?? z.NEVER;
});
const pair = z.object({ a: userId, b: userId });
const senderQuery = z.object({ userId, address });
const page = z.object({ limit: z.coerce.number().int().min(0).max(10_000).default(MAX_USERS) });
const degreesBody = z.strictObject({ userId, others: z.array(userId).max(MAX_USERS) });

export type ApiParts = {
  token: string;
  graph: () => FriendGraph;
  degree: DegreeAnswers;
  senders: Senders;
  /** Answers would be wrong before that. */
  ready: () => true | string;
  cells: Pick<Cells, 'request'>;
  sync: FriendSync;
};

export function addRoutes(app: Express, parts: ApiParts): void {
  const { token, graph, degree, senders, ready, cells, sync } = parts;
  app.use('/v1', (request, response, next) => {
    const isReady = ready();
    if (!isPlatform(request.get('authorization'), token)) {
      response.set('WWW-Authenticate', 'Bearer');
      sendProblem(response, 401, 'about:blank', 'This is for services of the platform: show its token.');
    } else if (isReady !== true) {
      response.set('Retry-After', '1');
      sendProblem(response, 503, 'about:blank', isReady);
    } else next();
  });
  app.use('/v1', express.json({ limit: MAX_BODY }));

  app.get('/v1/degree', (request, response) => {
    const asked = parse(pair, request.query, response);
    if (asked) response.json(degree(asked.a, asked.b));
  });
  app.get('/v1/sender', answerSender(senders, degree));
  app.post('/v1/degrees', (request, response) => {
    const asked = parse(degreesBody, request.body, response);
    if (asked) response.json({ degrees: asked.others.map((other) => graph().degree(asked.userId, other)) });
  });
  app.get('/v1/mutual', (request, response) => {
    const asked = parse(pair.extend(page.shape), request.query, response);
    if (asked) sendUsers(response, graph().mutual(asked.a, asked.b), asked.limit);
  });
  app.get('/v1/users/:userId/friends', (request, response) => {
    const asked = parse(page.extend({ userId }), { ...request.query, ...request.params }, response);
    if (asked) sendUsers(response, graph().friends(asked.userId), asked.limit);
  });
  app.get('/v1/users/:userId/friends-of-friends', (request, response) => {
    const asked = parse(page.extend({ userId }), { ...request.query, ...request.params }, response);
    if (asked) response.json(graph().friendsOfFriends(asked.userId, asked.limit));
  });

  const change =
    (write: typeof befriend) =>
    async (request: Request, response: Response): Promise<void> => {
      const asked = parse(pair, request.params, response);
      if (!asked) return;
      if (asked.a === asked.b)
        return sendProblem(response, 400, 'about:blank', 'Nobody is their own friend.');
      try {
        await write(cells, asked.a, asked.b);
      } finally {
        // Also what was half done is known then.
        await sync.refresh([asked.a, asked.b]);
      }
      response.json({ degree: graph().degree(asked.a, asked.b) });
    };
  app.put('/v1/friendships/:a/:b', change(befriend));
  app.delete('/v1/friendships/:a/:b', change(unfriend));
  app.use('/v1', answerError);
}

/** Whose a sender's address is, and how far that is from a user. */
function answerSender(senders: Senders, degree: DegreeAnswers) {
  return async (request: Request, response: Response): Promise<void> => {
    const asked = parse(senderQuery, request.query, response);
    if (!asked) return;
    const sender = await senders.userOf(asked.address);
    const found = sender === undefined ? { degree: 'far' } : degree(asked.userId, sender);
    response.json({ userId: sender ?? null, ...found });
  };
}

const answerError: ErrorRequestHandler = (error: unknown, _request, response, next) => {
  if (error instanceof UnknownUser) sendProblem(response, 404, 'about:blank', error.message);
  else if (error instanceof FriendshipRefused) sendProblem(response, 409, 'about:blank', error.message);
  else if (error instanceof Unavailable || error instanceof OutcomeUnknown || error instanceof CellDisabled) {
    response.set('Retry-After', '1');
    sendProblem(response, 503, 'about:blank', `Not done, or half: repeat it. ${error.message}`);
  } else next(error);
};

function sendUsers(response: Response, userIds: string[], limit: number): void {
  response.json({ count: userIds.length, userIds: userIds.slice(0, limit) });
}

function parse<T extends z.ZodType>(schema: T, value: unknown, response: Response): z.infer<T> | undefined {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  sendProblem(response, 400, 'about:blank', `Not understood: ${problems.join('; ')}`);
  return undefined;
}
