// The engine over real sockets, with a sink that keeps what it is given: for its tests.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
import { DEFAULT_LIMITS, type SmtpLimits } from './limits.ts';
import { listenSmtp, type SmtpListener } from './server.ts';
import type { MailSink, Refusal } from './sink.ts';

export type Stored = { mailFrom: string; recipients: string[]; content: string; protocol: string };

export const stored: Stored[] = [];
/** Messages that the sink was told to forget. */
export const aborted = { count: 0 };
const open: (() => void | Promise<void>)[] = [];

/** Closes all that a test has opened. To be called after each. */
export async function closeAll(): Promise<void> {
  stored.length = 0;
  aborted.count = 0;
  for (const close of open.splice(0).reverse()) await close();
}

const NOBODY: Refusal = { code: 550, status: '5.1.1', text: 'Nobody is called that here' };
/** Of mailboxes by these names, once the message is there. */
const VERDICTS: Record<string, Refusal> = {
  full: { code: 452, status: '4.2.2', text: 'Full' },
  gone: { code: 550, status: '5.1.1', text: 'Has just gone' },
};

export const memorySink: MailSink<string> = {
  async recipient(address) {
    return address.startsWith('nobody@') ? { refusal: NOBODY } : { known: address };
  },
  message(transaction, recipients) {
    const chunks: Uint8Array[] = [];
    return {
      async write(chunk) {
        chunks.push(chunk);
      },
      async deliver() {
        stored.push({
          mailFrom: transaction.mailFrom,
          recipients: recipients.map((recipient) => recipient.known),
          content: Buffer.concat(chunks).toString('latin1'),
          protocol: transaction.client.protocol,
        });
        return recipients.map((recipient) => VERDICTS[recipient.known.split('@', 1)[0] ?? ''] ?? true);
      },
      async abort() {
        if (chunks.length > 0) aborted.count++;
        chunks.length = 0;
      },
    };
  },
};

export async function listen(
  limits: Partial<SmtpLimits> = {},
  lmtp = false,
  sink: MailSink<string> = memorySink,
): Promise<SmtpListener> {
  let id = 0;
  const listener = await listenSmtp({
    host: '127.0.0.1',
    port: 0,
    hostname: 'mx.test',
    lmtp,
    limits: { ...DEFAULT_LIMITS, ...limits },
    sink,
    newId: () => `m${++id}`,
    onCommand: () => undefined,
    onError: (error) => assert.fail(String(error)),
  });
  open.push(() => listener.close());
  return listener;
}

export class TestClient {
  readonly socket: Socket;
  readonly #lines: AsyncIterator<string>;
  readonly #reader: Interface;

  constructor(port: number) {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.on('error', () => undefined);
    this.#reader = createInterface({ input: this.socket });
    this.#lines = this.#reader[Symbol.asyncIterator]();
    open.push(() => {
      this.socket.destroy();
    });
  }

  /** One whole reply, its lines joined; '' when the connection has ended. */
  async reply(): Promise<string> {
    const lines: string[] = [];
    for (;;) {
      const next = await this.#lines.next();
      if (next.done) return lines.join('\n');
      lines.push(next.value);
      if (next.value.charAt(3) !== '-') return lines.join('\n');
    }
  }

  send(text: string): void {
    this.socket.write(Buffer.from(text, 'latin1'));
  }

  async command(line: string): Promise<string> {
    this.send(`${line}\r\n`);
    return this.reply();
  }

  /** Up to the point where the content may be sent. */
  async begin(...recipients: string[]): Promise<void> {
    assert.match(await this.reply(), /^220 mx\.test/);
    assert.match(await this.command('EHLO client.test'), /^250/);
    assert.match(await this.command('MAIL FROM:<a@b.test>'), /^250/);
    for (const recipient of recipients) assert.match(await this.command(`RCPT TO:<${recipient}>`), /^250/);
  }
}

export async function client(limits: Partial<SmtpLimits> = {}, lmtp = false): Promise<TestClient> {
  return new TestClient((await listen(limits, lmtp)).port);
}
