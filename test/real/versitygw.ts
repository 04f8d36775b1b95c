// A real S3 service for tests: versitygw, built from its Go module into the cache once.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { versitygwBinary } from '../../images/go-program.ts';
import { until } from '../support/wait.ts';

const START_TIMEOUT_MS = 30_000;
const START_TRIES = 3;

export type Versitygw = {
  /** `http://127.0.0.1:port` */
  endpoint: string;
  /** Its data: a folder a bucket, a file an object. */
  folder: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** What CELLPOST_BLOB_STORE takes. */
  blobStoreUrl(bucket: string): string;
  /** Ends the process at once, as a crash would. */
  kill(): Promise<void>;
  /** Starts it again on the same port and data. */
  restart(): Promise<void>;
  /** Ends the process and removes its data. */
  close(): Promise<void>;
};

export async function startVersitygw(): Promise<Versitygw> {
  const binary = await versitygwBinary();
  const folder = await mkdtemp(join(tmpdir(), 'cellpost-s3-'));
  const accessKeyId = 'test-access-key';
  const secretAccessKey = 'test-secret-key';
  const start = async (port: number): Promise<() => Promise<void>> =>
    await startProcess(binary, folder, port, { accessKeyId, secretAccessKey });
  let { port, kill } = await startSomewhere(start);
  const endpoint = `http://127.0.0.1:${port}`;
  return {
    endpoint,
    folder,
    accessKeyId,
    secretAccessKey,
    blobStoreUrl: (bucket) => `s3://${bucket}?endpoint=${encodeURIComponent(endpoint)}&region=us-east-1`,
    kill: () => kill(),
    restart: async () => {
      kill = await start(port);
    },
    close: async () => {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

type Kill = () => Promise<void>;

/** A free port may be taken by another before the process listens: then another port. */
async function startSomewhere(start: (port: number) => Promise<Kill>): Promise<{ port: number; kill: Kill }> {
  for (let tries = 1; ; tries++) {
    const port = await freePort();
    try {
      return { port, kill: await start(port) };
    } catch (error) {
      if (tries === START_TRIES) throw error;
    }
  }
}

async function startProcess(
  binary: string,
  folder: string,
  port: number,
  keys: { accessKeyId: string; secretAccessKey: string },
): Promise<Kill> {
  const child = spawn(binary, ['--quiet', '--port', `127.0.0.1:${port}`, 'posix', folder], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      ...process.env,
      ROOT_ACCESS_KEY_ID: keys.accessKeyId,
      ROOT_SECRET_ACCESS_KEY: keys.secretAccessKey,
    },
  });
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exited = once(child, 'exit');
  const kill = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await exited;
  };
  try {
    await until(
      async () => {
        if (child.exitCode !== null) throw new Error(`versitygw ended: ${output}`);
        // Any answer will do: without a signature it is a refusal.
        return await fetch(`http://127.0.0.1:${port}/`).then(
          (response) => response.status > 0,
          () => false,
        );
      },
      { timeoutMs: START_TIMEOUT_MS, what: 'versitygw' },
    );
    return kill;
  } catch (error) {
    await kill();
    throw error;
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || !address) throw new Error('no address');
  return address.port;
}
