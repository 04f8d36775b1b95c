// What the API server answers when it does not do as told.

/** A refusal by the API server: its HTTP status, its machine-readable reason and its own sentence. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: number;
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(status: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }

  /** Reads a `Status` object (or whatever came instead of one). */
  static from(status: number, body: string, retryAfter: string | undefined): ApiError {
    const seconds = Number(retryAfter);
    const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : undefined;
    try {
      const parsed: unknown = JSON.parse(body);
      if (typeof parsed === 'object' && parsed !== null) {
        const reason = 'reason' in parsed && typeof parsed.reason === 'string' ? parsed.reason : '';
        const message =
          'message' in parsed && typeof parsed.message === 'string' ? parsed.message : `HTTP ${status}`;
        return new ApiError(status, reason, message, retryAfterMs);
      }
    } catch {
      // Not JSON: a proxy on the way, or plain text of the API server.
    }
    return new ApiError(
      status,
      '',
      body.trim().slice(0, MAX_MESSAGE_LENGTH) || `HTTP ${status}`,
      retryAfterMs,
    );
  }
}

/** A proxy's error page tells no more than its beginning. */
const MAX_MESSAGE_LENGTH = 300;

export const isConflict = (error: unknown): boolean => error instanceof ApiError && error.status === 409;
/** The resource version asked for is too old: list again. */
export const isGone = (error: unknown): boolean => error instanceof ApiError && error.status === 410;
