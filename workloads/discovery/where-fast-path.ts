// GET /v1/where?key=…, the question that is asked most, answered without express: the same answer at a third of the cost
// (docs/performance.md). Whatever is not plain goes on to the routes.
import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { bearer } from '../common/http/platform-token.ts';
import { MAX_KEY_LENGTH } from './answers.ts';
import type { DiscoveryState } from './state.ts';

const PATH = '/v1/where?key=';

export type FastPathOptions = {
  token: string;
  state: DiscoveryState;
};

export function whereFastPath({
  token,
  state,
}: FastPathOptions): (request: IncomingMessage, response: ServerResponse) => string | undefined {
  const wanted = Buffer.from(bearer(token));
  return (request, response) => {
    if (request.method !== 'GET' || request.url?.startsWith(PATH) !== true) return undefined;
    const given = Buffer.from(request.headers.authorization ?? '');
    if (given.length !== wanted.length || !timingSafeEqual(given, wanted) || !state.known) return undefined;
    const key = decode(request.url.slice(PATH.length));
    const where = key === undefined ? undefined : state.directory.where(key);
    if (!where || 'problem' in where) return undefined;
    const body = JSON.stringify(where);
    response.writeHead(200, {
      'Content-Type': 'application/json; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
    });
    response.end(body);
    return 'GET /v1/where';
  };
}

/** @returns undefined for what the routes should look at: more parameters, a key that is none */
function decode(text: string): string | undefined {
  if (text === '' || text.length > MAX_KEY_LENGTH || /[&+]/.test(text)) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
