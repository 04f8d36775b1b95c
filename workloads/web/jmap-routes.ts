// JMAP for clients outside (RFC 8620 sections 2, 3, 6, 7.3): every route finds out who asks, then hands the request to the
// app server that owns the user.
import type { Readable } from 'node:stream';
import { json } from 'node:stream/consumers';
import type { Express, Request, Response } from 'express';
import type { Cells } from '../common/cell-client/cells.ts';
import { sendProblem } from '../common/http/server.ts';
import { userKey } from '../common/keys.ts';
import { keepEventStream, type Upstream } from './event-stream.ts';
import { passOn, sendError } from './forward.ts';
import type { WebMetrics } from './metrics.ts';
import { countsCall, countsOf, sinceOf, type CountsService } from './own-counts.ts';
import { isReadOnly, readBody, type BodyLimit } from './request-body.ts';
import type { SignInDesk } from './sign-in.ts';

/** What the app servers tell in the session object (maxSizeRequest, maxSizeUpload). */
const REQUEST_LIMIT: BodyLimit = { name: 'maxSizeRequest', bytes: 10_000_000 };
const UPLOAD_LIMIT: BodyLimit = { name: 'maxSizeUpload', bytes: 50_000_000 };
/** Longer than an app server waits for its store, less than the minute after which most clients give up. */
const FORWARD_DEADLINE_MS = 50_000;
/** What the counts service knows it tells without asking the app server, who would refuse a password that was changed. */
const COUNTS_SIGN_IN_MS = 30_000;

export type JmapDoor = {
  cells: Pick<Cells, 'request'>;
  desk: SignInDesk;
  counts: CountsService;
  metrics: WebMetrics;
  /** Aborted when this door closes: event streams end then. */
  closing: AbortSignal;
};

/** A signed-in request. */
type Asked = { request: Request; response: Response; userId: string; authorization: string };

type Handler = (asked: Asked) => Promise<void>;

export function addJmapRoutes(app: Express, door: JmapDoor): void {
  const signedIn = (handle: Handler, atMostMs?: number) => (request: Request, response: Response) =>
    answer(door, request, response, handle, atMostMs);

  // RFC 8620 section 2.2: where clients look first.
  app.get('/.well-known/jmap', (_request, response) => response.redirect(307, '/jmap/session'));
  app.get(
    '/jmap/session',
    signedIn((asked) => forwardSession(door, asked)),
  );
  app.get(
    '/counts',
    signedIn((asked) => answerCounts(door, asked), COUNTS_SIGN_IN_MS),
  );
  app.post(
    '/jmap/api',
    signedIn((asked) => forwardBody(door, asked, 'api', REQUEST_LIMIT)),
  );
  app.post(
    '/jmap/upload/:accountId',
    signedIn(async (asked) => {
      const { accountId } = asked.request.params;
      await forwardBody(door, asked, `upload/${encodeURIComponent(String(accountId))}`, UPLOAD_LIMIT);
    }),
  );
  app.get(
    '/jmap/download/:accountId/:blobId/:name',
    signedIn((asked) => forwardDownload(door, asked)),
  );
  app.get(
    '/jmap/eventsource',
    signedIn((asked) => forwardEvents(door, asked)),
  );
}

/** @param atMostMs how long ago the app server may have said that the password is right; as long as the desk remembers unless told */
async function answer(
  door: JmapDoor,
  request: Request,
  response: Response,
  handle: Handler,
  atMostMs?: number,
): Promise<void> {
  response.set('Cache-Control', 'no-store');
  try {
    const signIn = await door.desk.check(request.headers.authorization, request.ip ?? '', atMostMs);
    door.metrics.signIns.inc({ outcome: signIn.outcome });
    switch (signIn.outcome) {
      case 'accepted':
        await handle({ request, response, userId: signIn.userId, authorization: signIn.authorization });
        return;
      case 'limited':
        response.set('Retry-After', String(Math.ceil(signIn.retryAfterMs / 1000)));
        sendProblem(response, 429, 'about:blank', 'Too many wrong passwords; try again later.');
        return;
      case 'missing':
      case 'refused':
        response.set('WWW-Authenticate', 'Basic realm="Cellpost", charset="UTF-8"');
        sendProblem(response, 401, 'about:blank', 'Sign in with your address and password.');
    }
  } catch (error) {
    if (response.headersSent) response.destroy();
    // A client that has left needs no answer.
    else if (!response.destroyed && !sendError(response, error)) throw error;
  }
}

type Forwarded = {
  method: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  idempotent: boolean;
};

/** Asks the user's owner, as the user. */
async function ask(
  door: JmapDoor,
  { response, userId, authorization }: Asked,
  { method, path, headers, idempotent }: Forwarded,
  more: { body?: () => Uint8Array | Readable; signal?: AbortSignal; bodyTimeoutMs?: number } = {},
): Promise<Upstream> {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  const upstream = await door.cells.request(userKey(userId), {
    method,
    path: `/users/${userId}/jmap/${path}`,
    headers: { authorization, ...headers },
    idempotent,
    deadlineMs: FORWARD_DEADLINE_MS,
    signal: gone.signal,
    ...more,
  });
  if (upstream.status === 401) door.desk.forget(authorization);
  return upstream;
}

async function forwardSession(door: JmapDoor, asked: Asked): Promise<void> {
  const upstream = await ask(door, asked, { method: 'GET', path: 'session', idempotent: true });
  if (upstream.status !== 200) {
    await passOn(upstream, asked.response);
    return;
  }
  const session: unknown = await json(upstream.body);
  if (typeof session !== 'object') throw new Error('the session is no object');
  // The app server's own addresses are not for the world: this door's are.
  const base = `${asked.request.protocol}://${asked.request.host}/jmap`;
  asked.response.json({
    ...session,
    apiUrl: `${base}/api`,
    downloadUrl: `${base}/download/{accountId}/{blobId}/{name}?type={type}`,
    uploadUrl: `${base}/upload/{accountId}`,
    eventSourceUrl: `${base}/eventsource?types={types}&closeafter={closeafter}&ping={ping}`,
  });
}

async function forwardBody(door: JmapDoor, asked: Asked, path: string, limit: BodyLimit): Promise<void> {
  const spool = await readBody(asked.request, limit);
  try {
    const body = spool.read();
    const contentType = asked.request.get('content-type');
    const upstream = await ask(
      door,
      asked,
      {
        method: 'POST',
        path,
        headers: contentType === undefined ? {} : { 'content-type': contentType },
        // Uploads are named by their content: once more changes nothing.
        idempotent: limit === UPLOAD_LIMIT || (body instanceof Uint8Array && isReadOnly(body)),
      },
      { body: () => spool.read() },
    );
    await passOn(upstream, asked.response);
  } finally {
    await spool.close();
  }
}

async function answerCounts(door: JmapDoor, asked: Asked): Promise<void> {
  const { request, response, userId } = asked;
  const known = await door.counts.ask(userId, sinceOf(request));
  if (known) return void response.json(known);
  const upstream = await ask(
    door,
    asked,
    {
      method: 'POST',
      path: 'api',
      headers: { 'content-type': 'application/json' },
      idempotent: true,
    },
    { body: () => Buffer.from(countsCall(userId)) },
  );
  if (upstream.status === 200) response.json(countsOf(await json(upstream.body)));
  else await passOn(upstream, response);
}

async function forwardDownload(door: JmapDoor, asked: Asked): Promise<void> {
  const { accountId, blobId, name } = asked.request.params;
  const path = [accountId, blobId, name].map((part) => encodeURIComponent(String(part))).join('/');
  const range = asked.request.get('range');
  const upstream = await ask(door, asked, {
    method: 'GET',
    path: `download/${path}${queryOf(asked.request)}`,
    headers: range === undefined ? {} : { range },
    idempotent: true,
  });
  // Whatever type somebody's attachment claims to be, it is no page of this origin.
  asked.response.set('Content-Security-Policy', "sandbox; default-src 'none'");
  await passOn(upstream, asked.response);
}

async function forwardEvents(door: JmapDoor, asked: Asked): Promise<void> {
  const query = queryOf(asked.request);
  door.metrics.eventStreams.inc();
  try {
    const refusal = await keepEventStream(asked.response, {
      open: async (lastEventId, signal) =>
        await ask(
          door,
          asked,
          {
            method: 'GET',
            path: `eventsource${query}`,
            headers: lastEventId === undefined ? {} : { 'last-event-id': lastEventId },
            idempotent: true,
          },
          { signal, bodyTimeoutMs: 0 },
        ),
      closeAfterState: asked.request.query.closeafter === 'state',
      lastEventId: asked.request.get('last-event-id'),
      signal: door.closing,
    });
    if (refusal) await passOn(refusal, asked.response);
  } finally {
    door.metrics.eventStreams.dec();
  }
}

function queryOf(request: Request): string {
  const start = request.originalUrl.indexOf('?');
  return start < 0 ? '' : request.originalUrl.slice(start);
}
