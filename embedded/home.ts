// The data folder of an embedded platform: format, lock, token, and the note that tells cellctl where everything is.
//   format         the layout's number, one line
//   token          what services show one another (0600)
//   platform.json  what runs now: addresses, pids
//   coordinator.db, cells/<cell>.db, blobs/, logs/
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { ConfigError } from '../workloads/common/config/env.ts';

const FORMAT = 1;
/** A unix socket's path may have 107 bytes on Linux, 103 on macOS. */
const MAX_SOCKET_PATH_BYTES = 100;

export type PlatformNote = {
  /** The launcher's. */
  pid: number;
  discoveryUrl: string;
  webUrl: string;
  userIndexUrl: string;
  /** Of the memcache dirty service. */
  countsUrl: string;
  /** Health and metrics. */
  mtaProxyUrl: string;
  consoleUrl: string;
  smtp: { host: string; port: number };
};

export class Home {
  readonly path: string;
  readonly tokenFile: string;
  readonly #lock: DatabaseSync;

  /** Makes the folder if it isn't there and locks it. @throws ConfigError newer format, or in use */
  constructor(path: string) {
    this.path = path;
    for (const folder of ['cells', 'blobs', 'logs'])
      mkdirSync(join(path, folder), { recursive: true, mode: 0o700 });
    checkFormat(join(path, 'format'));
    this.#lock = lock(path);
    this.tokenFile = join(path, 'token');
    try {
      writeFileSync(this.tokenFile, `${randomBytes(32).toString('base64url')}\n`, {
        mode: 0o600,
        flag: 'wx',
      });
    } catch (error) {
      if (!isCode(error, 'EEXIST')) throw error;
    }
  }

  get token(): string {
    return readFileSync(this.tokenFile, 'utf8').trim();
  }

  /** The coordinator's socket: in the folder, or where that path would be too long, in the temporary folder. */
  get socketPath(): string {
    const path = join(this.path, 'coordinator.sock');
    if (Buffer.byteLength(path) <= MAX_SOCKET_PATH_BYTES) return path;
    const digest = createHash('sha256').update(this.path).digest('hex').slice(0, 16);
    const folder = join(tmpdir(), `cellpost-${digest}`);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return join(folder, 'coordinator.sock');
  }

  writeNote(note: PlatformNote): void {
    const file = join(this.path, 'platform.json');
    writeFileSync(`${file}.new`, `${JSON.stringify(note, null, 2)}\n`);
    renameSync(`${file}.new`, file);
  }

  close(): void {
    rmSync(join(this.path, 'platform.json'), { force: true });
    this.#lock.close();
  }
}

/** Where the platform of a data folder has its blobs. */
export function blobStoreUrl(home: string): string {
  return `file:${join(home, 'blobs')}`;
}

/** @returns undefined when no platform has been started from this folder */
export function readNote(home: string): PlatformNote | undefined {
  try {
    return JSON.parse(readFileSync(join(home, 'platform.json'), 'utf8')) as PlatformNote;
  } catch {
    return undefined;
  }
}

function checkFormat(file: string): void {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (!isCode(error, 'ENOENT')) throw error;
    writeFileSync(file, `${FORMAT}\n`);
    return;
  }
  const format = Number.parseInt(text, 10);
  if (format > FORMAT) {
    throw new ConfigError(
      `The data folder has format ${format}; this version knows ${FORMAT}: use a newer Cellpost or another CELLPOST_HOME.`,
    );
  }
  if (format !== FORMAT)
    throw new ConfigError(`${file} does not hold a format number: this is no Cellpost data folder.`);
}

/** An exclusive lock that the operating system takes back when the process dies. */
function lock(path: string): DatabaseSync {
  const database = new DatabaseSync(join(path, 'lock'), { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT;');
    return database;
  } catch {
    database.close();
    const note = readNote(path);
    throw new ConfigError(
      `Another Cellpost runs from ${path}${note ? ` (pid ${note.pid})` : ''}: stop it, or set CELLPOST_HOME to another folder.`,
    );
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
