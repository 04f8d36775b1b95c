// What every log store checks before it does anything: the bounds of log-store.ts.
import { EntryTooLarge, MAX_BODY_BYTES, MAX_ENTRY_BYTES, type ReadLimits } from './log-store.ts';

/** @throws EntryTooLarge; RangeError when `seq` is no sequence number */
export function checkAppend(seq: number, entry: Uint8Array, bodies: readonly Uint8Array[]): void {
  checkSeq(seq);
  if (entry.byteLength > MAX_ENTRY_BYTES)
    throw new EntryTooLarge(`an entry of ${entry.byteLength} bytes is over ${MAX_ENTRY_BYTES}`);
  for (const body of bodies) {
    if (body.byteLength > MAX_BODY_BYTES)
      throw new EntryTooLarge(`a body of ${body.byteLength} bytes is over ${MAX_BODY_BYTES}`);
  }
}

/** @throws RangeError */
export function checkSeq(seq: number): void {
  if (!Number.isSafeInteger(seq) || seq < 1) throw new RangeError(`${seq} is no sequence number`);
}

/** @throws RangeError */
export function checkLimits({ limit, maxBytes }: ReadLimits): void {
  checkLimit(limit);
  if (!(maxBytes >= 0)) throw new RangeError(`${maxBytes} is no limit of bytes`);
}

/** @throws RangeError */
export function checkLimit(limit: number): void {
  if (!Number.isSafeInteger(limit) || limit < 1) throw new RangeError(`${limit} is no limit of rows`);
}
