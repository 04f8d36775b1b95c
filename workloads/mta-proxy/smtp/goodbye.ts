// Ends of a session that the client is told of, by a 421 (RFC 5321 section 3.8).
import { InputEnded, InputTimeout } from './input.ts';

export class Goodbye extends Error {
  override name = 'Goodbye';
  /** Enhanced status code (RFC 3463). */
  readonly status: string;
  constructor(status: string, message: string) {
    super(message);
    this.status = status;
  }
}

/** @returns undefined when the client has gone and nobody is there to be told */
export function goodbyeOf(error: unknown, closing: boolean): Goodbye | undefined {
  if (error instanceof Goodbye) return error;
  if (error instanceof InputTimeout) return new Goodbye('4.4.2', 'Nothing was heard for too long');
  if (error instanceof InputEnded) return closing ? new Goodbye('4.3.2', 'Shutting down') : undefined;
  return new Goodbye('4.3.0', 'Something went wrong here');
}
