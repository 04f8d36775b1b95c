// Checks and renewals of a user's image, for services. They may take long: the answer is lines of JSON, of progress first.
import type { Request, Response } from 'express';
import type { VerifyLine } from '../../common/cell-client/verify-lines.ts';
import { sendProblem } from '../../common/http/server.ts';
import type { Services } from './services.ts';

/** A replay of a large log takes memory and a core's time: more at once would be felt by users. */
const MAX_AT_ONCE = 2;
/** Between two lines of progress. */
const PROGRESS_MS = 250;

let running = 0;

/** POST /logs/{key}/verify → lines: see VerifyLine. Of the owner only (421 else). */
export async function postVerify(services: Services, request: Request, response: Response): Promise<void> {
  const key = String(request.params.key);
  await inLines(services, key, response, (onProgress) => services.logs.verify(key, onProgress));
}

/** POST /logs/{key}/regenerate → lines; throws the image and its snapshot away, and makes both anew. */
export async function postRegenerate(
  services: Services,
  request: Request,
  response: Response,
): Promise<void> {
  const key = String(request.params.key);
  await inLines(services, key, response, async (onProgress) => {
    await services.logs.regenerate(key);
    return await services.logs.verify(key, onProgress);
  });
}

async function inLines(
  services: Services,
  key: string,
  response: Response,
  work: (onProgress: (done: number, of: number) => void) => Promise<VerifyLine['result']>,
): Promise<void> {
  if (running >= MAX_AT_ONCE)
    return sendProblem(response, 429, 'about:blank', `At most ${MAX_AT_ONCE} images are checked at once.`);
  // Before anything is sent: is this the right server?
  await services.logs.read(key, () => undefined);
  running++;
  let last = 0;
  try {
    response.status(200).setHeader('Content-Type', 'application/x-ndjson');
    response.flushHeaders();
    const say = (line: VerifyLine): void => void response.write(`${JSON.stringify(line)}\n`);
    const result = await work((done, of) => {
      if (performance.now() - last < PROGRESS_MS) return;
      last = performance.now();
      say({ progress: { done, of } });
    });
    say({ result });
    response.end();
  } finally {
    running--;
  }
}
