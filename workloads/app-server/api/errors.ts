// The two kinds of JMAP errors (RFC 8620 section 3.6): of a whole request, and of one method call.

/** Refuses a whole request: answered as a problem document. */
export class RequestError extends Error {
  override name = 'RequestError';
  readonly status: number;
  readonly type: string;
  readonly more: Record<string, unknown>;
  constructor(type: string, detail: string, more: Record<string, unknown> = {}, status = 400) {
    super(detail);
    this.type = `urn:ietf:params:jmap:error:${type}`;
    this.status = status;
    this.more = more;
  }
}

export type MethodErrorType =
  | 'accountNotFound'
  | 'accountNotSupportedByMethod'
  | 'anchorNotFound'
  | 'cannotCalculateChanges'
  | 'forbidden'
  | 'invalidArguments'
  | 'invalidResultReference'
  | 'overQuota'
  | 'requestTooLarge'
  | 'serverFail'
  | 'serverUnavailable'
  | 'stateMismatch'
  | 'tooManyChanges'
  | 'unknownMethod'
  | 'unsupportedFilter'
  | 'unsupportedSort';

/** Refuses one method call: answered as `["error", {type, description}, callId]`. */
export class MethodError extends Error {
  override name = 'MethodError';
  readonly type: MethodErrorType;
  readonly more: Record<string, unknown>;
  constructor(type: MethodErrorType, description: string, more: Record<string, unknown> = {}) {
    super(description);
    this.type = type;
    this.more = more;
  }
}
