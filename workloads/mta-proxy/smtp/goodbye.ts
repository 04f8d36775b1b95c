// Ends of a session that the client is told of, mostly by a 421 (RFC 5321 section 3.8).
import { InputEnded, InputTimeout } from './input.ts';

export class Goodbye extends Error {
  override name = 'Goodbye';
  /** Enhanced status code (RFC 3463). */
  readonly status: string;
  readonly code: number;
  /** @param code 421: try again later; a 5xx tells the client that the message will never do */
  constructor(status: string, message: string, code = 421) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/** @returns undefined when the client has gone and nobody is there to be told */
export function goodbyeOf(error: unknown, closing: boolean): Goodbye | undefined {
  if (error instanceof Goodbye) return error;
  if (error instanceof InputTimeout) return new Goodbye('4.4.2', 'Nothing was heard for too long');
  if (error instanceof InputEnded) return closing ? new Goodbye('4.3.2', 'Shutting down') : undefined;
  return new Goodbye('4.3.0', 'Something went wrong here');
}
