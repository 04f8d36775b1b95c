// A Redis server for comparison, and as much of its protocol (RESP) as that takes: commands go out in one write, integers come back in order.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createConnection, type Socket } from 'node:net';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/wait.ts';

const START_DEADLINE_MS = 20_000;

export type Redis = { port: number; pid: number; close(): Promise<void> };

/** Without persistence: all that it does is for memory and look-ups. */
export async function startRedis(folder: string): Promise<Redis> {
  const port = await freePort();
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ];
  const child = spawn('redis-server', args, { stdio: 'ignore' });
  const exited = once(child, 'exit');
  const close = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await exited;
  };
  try {
    await until(
      async () => {
        const socket = createConnection(port, '127.0.0.1');
        return await once(socket, 'connect').then(
          () => (socket.destroy(), true),
          () => false,
        );
      },
      { timeoutMs: START_DEADLINE_MS, what: 'Redis' },
    );
  } catch (error) {
    await close();
    throw error;
  }
  return { port, pid: child.pid ?? 0, close };
}

export class RedisConnection {
  readonly #socket: Socket;
  readonly #waiting: { resolve: (answer: number) => void; reject: (error: Error) => void }[] = [];
  #rest = '';

  constructor(port: number) {
    this.#socket = createConnection({ port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('data', (chunk) => this.#read(chunk.toString('latin1')));
    this.#socket.on('error', (error) => {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    });
  }

  /** Sends one command; of integer answers only. */
  command(...words: string[]): Promise<number> {
    const head = `*${words.length}\r\n`;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#socket.write(head + words.map((word) => `$${word.length}\r\n${word}\r\n`).join(''), 'latin1');
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(text: string): void {
    const lines = (this.#rest + text).split('\r\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const waiting = this.#waiting.shift();
      if (line.startsWith(':')) waiting?.resolve(Number(line.slice(1)));
      else waiting?.reject(new Error(`Redis says ${line.slice(0, 100)}`));
    }
  }
}
