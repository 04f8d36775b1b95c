// The routes of an app server. Each names a user or an address, asks who wants it, then does its work on that log alone.
import type { Express, Request, Response } from 'express';
import { sendProblem } from '../../common/http/server.ts';
import { isUserId, userKey } from '../../common/keys.ts';
import { asUser } from '../image/model.ts';
import { deleteAddress, getAddress, putAddress } from './addresses.ts';
import { Call } from './call.ts';
import type { ChangeFeed } from './change-feed.ts';
import { getChangedKeys } from './changed-keys.ts';
import { ConcurrencyLimit } from './concurrency.ts';
import { download } from './download.ts';
import { postCounts } from './user-counts.ts';
import { parseEventSourceQuery, type EventStreams } from './event-source.ts';
import { checkRequest, runRequest } from './jmap-request.ts';
import { getFriends } from './friends.ts';
import { postLeft } from './left.ts';
import { MAX_CONCURRENT_REQUESTS, MAX_CONCURRENT_UPLOADS, MAX_EVENT_STREAMS } from './limits.ts';
import { authenticate, isService } from './principal.ts';
import { deleteLog, postAdopt, postMove, postPrepare } from './moves.ts';
import { postAhead } from './read-ahead.ts';
import { readJson } from './read-body.ts';
import type { Services } from './services.ts';
import { sessionObject, sessionState } from './session.ts';
import { getEntries, getHead, getKeys, postHeads } from './transfer-read.ts';
import { postEntries } from './transfer-write.ts';
import { upload } from './upload.ts';
import { postRestore } from './user-restore.ts';
import type { UserRequest } from './user-request.ts';
import { deleteUserAddress, getUserAddresses, putUserAddress } from './user-addresses.ts';
import { putUser } from './users.ts';
import { postRegenerate, postVerify } from './verify.ts';
import { notFound, wrap } from './wrap.ts';

export function addRoutes(app: Express, services: Services, streams: EventStreams, feed: ChangeFeed): void {
  const requests = new ConcurrencyLimit('maxConcurrentRequests', MAX_CONCURRENT_REQUESTS);
  const uploads = new ConcurrencyLimit('maxConcurrentUpload', MAX_CONCURRENT_UPLOADS);

  /** A route below /users/{userId}, for services and the user; 404 for a user who isn't there. */
  const userRoute = (route: string, handle: (at: UserRequest) => Promise<void>) =>
    wrap(services, route, async (request, response, logger) => {
      const userId = String(request.params.userId);
      if (!isUserId(userId)) return notFound(response);
      const principal = await authenticate(request, response, userId, services);
      if (principal) await handle({ request, response, userId, principal, logger });
    });

  /** A route for services only. */
  const serviceRoute = (route: string, handle: (request: Request, response: Response) => Promise<void>) =>
    wrap(services, route, async (request, response) => {
      if (isService(request, services.platformToken)) await handle(request, response);
      else sendProblem(response, 401, 'about:blank', 'Only services of the platform may do this.');
    });

  app.post(
    '/users/:userId/jmap/api',
    userRoute('api', async (at) => {
      const work = (): Promise<void> => answerJmap(services, at);
      await (at.principal.kind === 'service' ? work() : requests.run(at.userId, work));
    }),
  );
  app.get(
    '/users/:userId/jmap/session',
    userRoute('session', async ({ request, response, userId, principal }) => {
      const base = baseUrl(request, userId);
      const session = await services.logs.read(userKey(userId), (image) =>
        sessionObject(image, principal, base),
      );
      if (session) response.set('Cache-Control', 'no-cache, no-store, must-revalidate').json(session);
      else notFound(response);
    }),
  );
  app.post(
    '/users/:userId/jmap/upload/:accountId',
    userRoute('upload', (at) => uploads.run(at.userId, () => upload(services, at))),
  );
  app.get(
    '/users/:userId/jmap/download/:accountId/:blobId/:name',
    userRoute('download', (at) => download(services, at)),
  );
  app.get(
    '/users/:userId/jmap/eventsource',
    userRoute('eventsource', async ({ request, response, userId }) => {
      const options = parseEventSourceQuery(request.query);
      const key = userKey(userId);
      const exists = await services.logs.read(key, (image) => asUser(image) !== undefined);
      if (!exists) notFound(response);
      else if (!options)
        sendProblem(response, 400, 'about:blank', 'See RFC 8620 section 7.3 for the arguments.');
      else if (streams.count(key) >= MAX_EVENT_STREAMS)
        sendProblem(response, 429, 'about:blank', `At most ${MAX_EVENT_STREAMS} event streams at once.`);
      else await streams.open(key, userId, options, response, request.get('last-event-id'));
    }),
  );
  app.get(
    '/users/:userId/friends',
    userRoute('getFriends', (at) => getFriends(services, at)),
  );
  app.get(
    '/changes',
    serviceRoute('changes', async (request, response) => feed.follow(request, response)),
  );
  app.get(
    '/changes/keys',
    serviceRoute('changedKeys', (request, response) => getChangedKeys(services, request, response)),
  );
  app.put(
    '/users/:userId',
    serviceRoute('putUser', (request, response) => putUser(services, request, response)),
  );
  app.get(
    '/users/:userId/addresses',
    serviceRoute('getUserAddresses', (request, response) => getUserAddresses(services, request, response)),
  );
  app.put(
    '/users/:userId/addresses/:address',
    serviceRoute('putUserAddress', (request, response) => putUserAddress(services, request, response)),
  );
  app.delete(
    '/users/:userId/addresses/:address',
    serviceRoute('deleteUserAddress', (request, response) => deleteUserAddress(services, request, response)),
  );
  app.post(
    '/users/:userId/restore',
    serviceRoute('restore', (request, response) => postRestore(services, request, response)),
  );
  app.get(
    '/addresses/:address',
    serviceRoute('getAddress', (request, response) => getAddress(services, request, response)),
  );
  app.put(
    '/addresses/:address',
    serviceRoute('putAddress', (request, response) => putAddress(services, request, response)),
  );
  app.delete(
    '/addresses/:address',
    serviceRoute('deleteAddress', (request, response) => deleteAddress(services, request, response)),
  );
  app.get(
    '/keys',
    serviceRoute('getKeys', (request, response) => getKeys(services, request, response)),
  );
  app.post(
    '/logs/heads',
    serviceRoute('postHeads', (request, response) => postHeads(services, request, response)),
  );
  app.post(
    '/logs/ahead',
    serviceRoute('postAhead', (request, response) => postAhead(services, request, response)),
  );
  app.get(
    '/logs/:key/head',
    serviceRoute('getHead', (request, response) => getHead(services, request, response)),
  );
  app.get(
    '/logs/:key/entries',
    serviceRoute('getEntries', (request, response) => getEntries(services, request, response)),
  );
  app.post(
    '/logs/:key/entries',
    serviceRoute('postEntries', (request, response) => postEntries(services, request, response)),
  );
  app.post(
    '/logs/:key/move',
    serviceRoute('postMove', (request, response) => postMove(services, request, response)),
  );
  app.post(
    '/logs/:key/adopt',
    serviceRoute('postAdopt', (request, response) => postAdopt(services, request, response)),
  );
  app.post(
    '/logs/:key/prepare',
    serviceRoute('postPrepare', (request, response) => postPrepare(services, request, response)),
  );
  app.delete(
    '/logs/:key',
    serviceRoute('deleteLog', (request, response) => deleteLog(services, request, response)),
  );
  app.post(
    '/logs/:key/verify',
    serviceRoute('postVerify', (request, response) => postVerify(services, request, response)),
  );
  app.post(
    '/logs/:key/regenerate',
    serviceRoute('postRegenerate', (request, response) => postRegenerate(services, request, response)),
  );
  app.post(
    '/counts',
    serviceRoute('postCounts', (request, response) => postCounts(services, request, response)),
  );
  app.get(
    '/node',
    serviceRoute('node', async (_request, response) => {
      response.json(services.node());
    }),
  );
  app.get(
    '/load',
    serviceRoute('load', async (_request, response) => {
      response.set('Cache-Control', 'no-store').json(services.loads.top());
    }),
  );
  app.post(
    '/drain',
    serviceRoute('drain', (_request, response) => postDrain(services, response)),
  );
  app.delete(
    '/drain',
    serviceRoute('rejoin', async (_request, response) => {
      services.place?.rejoin();
      response.status(204).end();
    }),
  );
  app.post(
    '/ring/left',
    serviceRoute('left', (request, response) => postLeft(services, request, response)),
  );
}

/** Answers when the ring has seen that this server owns no user: what GET /node tells. Without DELETE it ends by itself. */
async function postDrain({ place, node }: Services, response: Response): Promise<void> {
  if (!place)
    return void sendProblem(response, 409, 'about:blank', 'This server is on no ring that it could leave.');
  await place.drain();
  response.json(node());
}

async function answerJmap(services: Services, at: UserRequest): Promise<void> {
  const jmap = checkRequest(await readJson(at.request));
  const createdIds = new Map(Object.entries(jmap.createdIds ?? {}));
  const call = new Call(services, at.userId, at.principal, at.logger, createdIds);
  // Also finds out whether this server is the right one, before any call is made.
  const state = await services.logs.read(call.key, sessionState);
  const result = await runRequest(jmap, call);
  at.response.set('Cache-Control', 'no-store').json({ ...result, sessionState: state });
}

/** The door in front of this server tells the base under which clients reach it; what it says goes back to the asker only. */
function baseUrl(request: Request, userId: string): string {
  const forwarded = request.get('x-forwarded-prefix-url');
  if (forwarded !== undefined && /^https?:\/\/[^\s"'<>\\]{1,255}$/.test(forwarded))
    return `${forwarded.replace(/\/+$/, '')}/jmap`;
  return `http://${request.get('host') ?? 'localhost'}/users/${userId}/jmap`;
}
