// POST /logs/ahead {keys} → 204: this server will soon own these logs, and reads them ahead. For services, before a planned
// leave of theirs.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { readChecked } from './read-body.ts';
import type { Services } from './services.ts';

/** Of one request; who has more asks again. */
export const MAX_KEYS_AHEAD = 1_000;
const MAX_KEY_CHARS = 512;

const body = z.strictObject({ keys: z.array(z.string().min(1).max(MAX_KEY_CHARS)).max(MAX_KEYS_AHEAD) });

export async function postAhead(services: Services, request: Request, response: Response): Promise<void> {
  const asked = await readChecked(request, response, body);
  if (!asked) return;
  await services.logs.readAhead(asked.keys);
  response.status(204).end();
}
