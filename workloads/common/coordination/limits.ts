// What both implementations refuse by themselves, with a sentence, before anything is sent. ZooKeeper would cut the
// connection of a client that sends too much, which looks like a loss of connection and teaches nobody anything.
import { CoordinationError } from './coordination.ts';

/** ZooKeeper takes packets of 1,048,575 bytes (jute.maxbuffer); the rest is for path, ACL and headers. */
export const MAX_DATA_BYTES = 1_000_000;
/** Names and paths are ours: longer ones are mistakes. */
const MAX_PATH_LENGTH = 1024;
/** Without session timeout nothing would ever be noticed; below this a busy machine expires by itself. */
export const MIN_TIMEOUT_MS = 250;
export const MAX_TIMEOUT_MS = 60_000;

// Control characters, surrogates and the like are refused by ZooKeeper, too.
// eslint-disable-next-line no-control-regex
const BAD_CHARACTER = /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/;

/** @returns what is wrong with an absolute path, undefined when nothing is */
export function problemOfPath(path: string): string | undefined {
  if (!path.startsWith('/')) return 'does not start with /';
  if (path.length > MAX_PATH_LENGTH) return `is longer than ${MAX_PATH_LENGTH} characters`;
  if (BAD_CHARACTER.test(path)) return 'has a character that is not allowed';
  if (path === '/') return undefined;
  for (const name of path.slice(1).split('/')) {
    if (name === '') return 'has an empty name';
    if (name === '.' || name === '..') return 'is not absolute';
  }
  return undefined;
}

/** @throws CoordinationError rejected */
export function checkPath(path: string): void {
  const problem = problemOfPath(path);
  if (problem)
    throw new CoordinationError('rejected', `Path ${JSON.stringify(path.slice(0, 100))} ${problem}.`);
}

/** @throws CoordinationError rejected */
export function checkData(path: string, data: Uint8Array): void {
  if (data.length <= MAX_DATA_BYTES) return;
  throw new CoordinationError(
    'rejected',
    `${path}: ${data.length} bytes of data are over the limit of ${MAX_DATA_BYTES}.`,
  );
}
