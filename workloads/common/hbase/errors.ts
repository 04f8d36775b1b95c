// How calls to HBase fail. Three classes tell what to do: try the same server again, look for the region elsewhere, give
// up; a fourth, a broken connection, leaves open whether the server got the call.

export type Cure = 'retry' | 'relocate' | 'fail';

/** An exception of a server's own, by its Java class name. */
export class ServerException extends Error {
  override name = 'ServerException';
  readonly className: string;
  readonly cure: Cure;
  /**
   * True for what may come after the write-ahead log was written, such as a sync that failed: the server shows nothing of
   * the write now, and may find it in the log when it starts again.
   */
  readonly mayHaveRun: boolean;
  /** `host:port` of the server that has the region now, where this one knows it. */
  readonly movedTo: string | undefined;

  constructor(className: string, detail: string, doNotRetry: boolean) {
    super(`${simpleName(className)}: ${firstLine(detail)}`);
    this.className = className;
    this.cure = cureOf(className, doNotRetry);
    this.mayHaveRun = this.cure !== 'fail' && !REFUSALS.has(simpleName(className));
    const moved = this.cure === 'relocate' ? MOVED.exec(detail)?.groups : undefined;
    this.movedTo = moved && `${moved.host}:${moved.port}`;
  }
}

/** The connection broke, or no answer came in time. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost';
  /** True when the server may have got the call, and done it. */
  readonly mayHaveRun: boolean;

  constructor(message: string, mayHaveRun: boolean) {
    super(message);
    this.mayHaveRun = mayHaveRun;
  }
}

/** The deadline passed. The last error is the cause. */
export class HbaseUnavailable extends Error {
  override name = 'HbaseUnavailable';
  /** True when an attempt may have taken effect. */
  readonly mayHaveRun: boolean;

  constructor(message: string, mayHaveRun: boolean, cause: unknown) {
    super(message, { cause });
    this.mayHaveRun = mayHaveRun;
  }
}

/** The region is not here (any more), or this server is not (yet) one. */
const RELOCATE = new Set([
  'NotServingRegionException',
  'RegionMovedException',
  'RegionOpeningException',
  'WrongRegionException',
  'FailedSanityCheckException',
  'RegionServerStoppedException',
  'RegionServerAbortedException',
  'ServerNotRunningYetException',
  'UnknownScannerException',
  'ScannerResetException',
  'OutOfOrderScannerNextException',
  'LeaseException',
]);
/** The server is there and has too much to do, or is not quite ready. */
const RETRY = new Set([
  'CallQueueTooBigException',
  'CallDroppedException',
  'CallTimeoutException',
  'CallerDisconnectedException',
  'PleaseHoldException',
  'RegionTooBusyException',
  'RpcThrottlingException',
  'TimeoutIOException',
  'MasterNotRunningException',
]);

/** A mistake of the caller, also where the server doesn't say so: within the answer to many calls. */
const FAIL = new Set(['NoSuchColumnFamilyException', 'TableNotFoundException']);

/** Thrown before anything is written. What is on no list may have written. */
const REFUSALS = new Set([
  'NotServingRegionException',
  'RegionMovedException',
  'RegionOpeningException',
  'WrongRegionException',
  'FailedSanityCheckException',
  'ServerNotRunningYetException',
  'CallQueueTooBigException',
  'CallDroppedException',
  'PleaseHoldException',
  'RegionTooBusyException',
  'RpcThrottlingException',
  'MasterNotRunningException',
]);

const MOVED = /Region moved to: hostname=(?<host>\S+) port=(?<port>\d+)/;

function cureOf(className: string, doNotRetry: boolean): Cure {
  const name = simpleName(className);
  if (RELOCATE.has(name)) return 'relocate';
  if (RETRY.has(name)) return 'retry';
  return doNotRetry || FAIL.has(name) || name.startsWith('DoNotRetry') ? 'fail' : 'retry';
}

/** Whether what failed may have taken effect all the same, or may yet. */
export function mayHaveRun(error: unknown): boolean {
  if (
    error instanceof ServerException ||
    error instanceof ConnectionLost ||
    error instanceof HbaseUnavailable
  ) {
    return error.mayHaveRun;
  }
  // An answer that can't be read, or a mistake of this program: nobody knows.
  return !(error instanceof HbaseError);
}

export const simpleName = (className: string): string => className.slice(className.lastIndexOf('.') + 1);

/** The rest of a Java stack trace says nothing to people. */
const firstLine = (text: string): string => text.split('\n', 1)[0]?.slice(0, 500) ?? '';

/** What can't be mended by waiting: a table that is not there, an answer that can't be read. */
export class HbaseError extends Error {
  override name = 'HbaseError';
}
