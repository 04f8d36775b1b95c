// GET /v1/load: how the platform fares, for whoever may look.
import type { Express } from 'express';
import { sendProblem } from '../common/http/server.ts';
import { accessOf } from './access.ts';

/** The answer is made once for each look, however many ask. */
export type Answers = { all: string; 'without-users': string };

type RouteOptions = { token: string; answers: () => Answers | undefined };

export function addRoutes(app: Express, { token, answers }: RouteOptions): void {
  const access = accessOf(token);
  app.get('/v1/load', (request, response) => {
    response.set('Cache-Control', 'no-store');
    const opened = access(request.get('authorization'));
    if (!opened) {
      // No browser asks by itself: the page does, and keeps what it is told in its tab.
      response.set('WWW-Authenticate', 'Bearer');
      return sendProblem(response, 401, 'about:blank', "Show the platform's token or the console's key.");
    }
    const made = answers();
    if (!made) {
      response.set('Retry-After', '1');
      return sendProblem(response, 503, 'urn:cellpost:error:unavailable', 'Nothing has been looked at yet.');
    }
    response.type('application/json').send(made[opened]);
  });
}
