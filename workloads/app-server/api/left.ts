// POST /ring/left {session} → 204: another server of the ring says that it answers for nothing any more in that session of
// its. For services.
import type { Request, Response } from 'express';
import { z } from 'zod';
import { sendProblem } from '../../common/http/server.ts';
import { readJson } from './read-body.ts';
import type { Services } from './services.ts';

const MAX_SESSION_CHARS = 128;

const body = z.strictObject({ session: z.string().min(1).max(MAX_SESSION_CHARS) });

export async function postLeft({ place }: Services, request: Request, response: Response): Promise<void> {
  const asked = body.safeParse(await readJson(request));
  if (!asked.success) return sendProblem(response, 400, 'about:blank', z.prettifyError(asked.error));
  place?.hasLeft(asked.data.session);
  response.status(204).end();
}
