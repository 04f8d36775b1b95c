// GET /v1/degree?a=…&b=…, the question that each delivery asks, answered without express. Whatever is not plain goes on to
// the routes.
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { bearer } from '../common/http/platform-token.ts';
import type { Degree } from './graph.ts';

const PLAIN = /^\/v1\/degree\?a=([A-Za-z0-9][A-Za-z0-9_-]{0,63})&b=([A-Za-z0-9][A-Za-z0-9_-]{0,63})$/;

/** `isCurrent` false: two who became friends lately may be told as strangers. */
type DegreeAnswer = { degree: Degree; isCurrent?: false };
export type DegreeAnswers = (a: string, b: string) => DegreeAnswer;

export type FastPathOptions = {
  token: string;
  degree: DegreeAnswers;
  ready: () => true | string;
};

export function degreeFastPath({
  token,
  degree,
  ready,
}: FastPathOptions): (request: IncomingMessage, response: ServerResponse) => string | undefined {
  const wanted = Buffer.from(bearer(token));
  return (request, response) => {
    if (request.method !== 'GET') return undefined;
    const [, a, b] = PLAIN.exec(request.url ?? '') ?? [];
    if (a === undefined || b === undefined || ready() !== true) return undefined;
    const given = Buffer.from(request.headers.authorization ?? '');
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted)) return undefined;
    const body = JSON.stringify(degree(a, b));
    response.writeHead(200, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': body.length,
    });
    response.end(body);
    return 'GET /v1/degree';
  };
}
