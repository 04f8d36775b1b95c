// GET /counts?users=a,b,… → {counts: {userId: {unread, unseen, seq}}, unknown, unavailable}, for services of the platform.
import type { Express, Request, Response } from 'express';
import { countedUsers, MAX_COUNTED_USERS } from '../common/counts.ts';
import { sendProblem } from '../common/http/server.ts';
import { isPlatform } from '../common/http/platform-token.ts';
import type { WorkloadMetrics } from '../common/metrics/workload-metrics.ts';
import type { CountReader } from './counts.ts';

/** Requests at once: more would only wait for one another. */
const MAX_REQUESTS = 500;
const RETRY_AFTER_SECONDS = 1;

type RouteOptions = { reader: CountReader; token: string; metrics: WorkloadMetrics };

export function addRoutes(app: Express, { reader, token, metrics }: RouteOptions): void {
  let underWay = 0;
  metrics.queue('requests', () => underWay, MAX_REQUESTS);
  const handle = async (request: Request, response: Response): Promise<void> => {
    if (!isPlatform(request.get('authorization'), token))
      return sendProblem(response, 401, 'about:blank', 'Only services of the platform may do this.');
    if (underWay >= MAX_REQUESTS) return sendBusy(response, 'Too many requests at once.');
    underWay++;
    try {
      await answer(request, response, reader);
    } finally {
      underWay--;
    }
  };
  app.get('/counts', (request, response, pass) => {
    handle(request, response).catch(pass);
  });
}

async function answer(request: Request, response: Response, reader: CountReader): Promise<void> {
  const { users } = request.query;
  const asked = countedUsers.safeParse(typeof users === 'string' ? [...new Set(users.split(','))] : []);
  if (!asked.success) {
    const detail = `users names 1 to ${MAX_COUNTED_USERS} users by their ids, with commas between them.`;
    return sendProblem(response, 400, 'about:blank', detail);
  }
  const { counts, unknown, unavailable } = await reader.read(asked.data);
  if (unavailable.length === asked.data.length)
    return sendBusy(response, 'Nobody who serves these users can be reached.');
  const byUser = Object.fromEntries(counts.map(({ userId, ...rest }) => [userId, rest]));
  response.set('Cache-Control', 'no-store').json({ counts: byUser, unknown, unavailable });
}

function sendBusy(response: Response, detail: string): void {
  response.set('Retry-After', String(RETRY_AFTER_SECONDS));
  sendProblem(response, 503, 'urn:cellpost:error:unavailable', detail);
}
