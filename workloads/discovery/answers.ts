// What discovery's routes have in common: reading what is asked, answering what can't be done.
import type { Request, RequestHandler, Response } from 'express';
import { z } from 'zod';
import { sendProblem } from '../common/http/server.ts';
import { CellInUse, CoordinationAway, Misplaced, NoEnabledCell } from './errors.ts';

/** The longest key: `address:` and the longest address, with room to spare. */
export const MAX_KEY_LENGTH = 512;
/** When to ask again: a ring mostly changes within a session timeout; a disabled cell stays so for a while. */
export const RETRY_AFTER_S = { 'no-node': 1, 'cell-disabled': 30, unavailable: 2 } as const;

export const key = z.string().min(1).max(MAX_KEY_LENGTH);

/** Turns what a change can fail of into answers. */
export function changing(work: (request: Request, response: Response) => Promise<void>): RequestHandler {
  return async (request, response) => {
    try {
      await work(request, response);
    } catch (error) {
      if (error instanceof CellInUse)
        sendProblem(response, 409, 'urn:cellpost:error:cell-in-use', error.message, {
          buckets: error.buckets,
        });
      else if (error instanceof Misplaced)
        sendProblem(response, 409, 'urn:cellpost:error:misplaced', error.message);
      else if (error instanceof NoEnabledCell) {
        response.set('Retry-After', String(RETRY_AFTER_S.unavailable));
        sendProblem(response, 503, 'urn:cellpost:error:no-cell', error.message);
      } else if (error instanceof CoordinationAway) unavailable(response, error.message);
      else throw error;
    }
  };
}

export function unavailable(response: Response, detail: string): void {
  response.set('Retry-After', String(RETRY_AFTER_S.unavailable));
  sendProblem(response, 503, 'urn:cellpost:error:unavailable', detail);
}

/** @returns undefined when the value is refused; that has been answered then */
export function parse<T extends z.ZodType>(
  schema: T,
  value: unknown,
  response: Response,
): z.infer<T> | undefined {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.join('.') || 'the body'}: ${issue.message}`,
  );
  sendProblem(response, 400, 'about:blank', problems.join('; '));
  return undefined;
}
