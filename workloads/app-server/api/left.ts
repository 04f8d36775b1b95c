// POST /ring/left {session} → 204: another server of the ring says that it answers for nothing any more in that session of
// its. For services.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { readChecked } from './read-body.ts';
import type { Services } from './services.ts';

const MAX_SESSION_CHARS = 128;

const body = z.strictObject({ session: z.string().min(1).max(MAX_SESSION_CHARS) });

export async function postLeft({ place }: Services, request: Request, response: Response): Promise<void> {
  const asked = await readChecked(request, response, body);
  if (!asked) return;
  place?.hasLeft(asked.session);
  response.status(204).end();
}
