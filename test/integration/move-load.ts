// Mail and JMAP requests that never stop while tests move users about; what fails, and what got lost, is told at the end.
import assert from 'node:assert/strict';
import { setTimeout as delay } from 'node:timers/promises';
import nodemailer from 'nodemailer';
import { openJmap, type JmapClient } from '../support/jmap.ts';
import type { Doors } from '../support/platform.ts';
import { until } from '../support/wait.ts';

const PAUSE_MS = 15;
const PASSES_DEADLINE_MS = 60_000;
/** Messages that one Email/get gives. */
const PAGE = 400;

let loads = 0;

export class MoveLoad {
  readonly user: string;
  readonly client: JmapClient;
  /** What its subjects begin with: no other load's do. */
  readonly #name = `load ${++loads},`;
  readonly acknowledged: string[] = [];
  readonly failures: string[] = [];
  /** How long each request took, from its beginning to its end. */
  readonly readsMs: number[] = [];
  readonly #smtpPort: number;
  readonly #ending = new AbortController();
  #running: Promise<unknown> = Promise.resolve();

  private constructor(doors: Doors, user: string, client: JmapClient) {
    this.user = user;
    this.client = client;
    this.#smtpPort = doors.smtpPort;
  }

  static async start(doors: Doors, user: string): Promise<MoveLoad> {
    const client = await openJmap(doors.webUrl, user, 'demo');
    const load = new MoveLoad(doors, user, client);
    load.#running = Promise.all([load.#deliver(), load.#read()]);
    return load;
  }

  async #deliver(): Promise<void> {
    const transport = nodemailer.createTransport({
      host: '127.0.0.1',
      port: this.#smtpPort,
      secure: false,
      pool: true,
      maxConnections: 2,
    });
    for (let n = 0; !this.#ending.signal.aborted; n++) {
      const subject = `${this.#name} mail ${n}`;
      try {
        await transport.sendMail({ from: 'you@example.org', to: this.user, subject, text: 'Hello' });
        this.acknowledged.push(subject);
      } catch (error) {
        this.failures.push(`${subject}: ${error instanceof Error ? error.message : String(error)}`);
      }
      await delay(PAUSE_MS);
    }
    transport.close();
  }

  async #read(): Promise<void> {
    const { accountId } = this.client;
    while (!this.#ending.signal.aborted) {
      const began = performance.now();
      try {
        const [response] = await this.client.call([
          'Email/query',
          { accountId, sort: [{ property: 'receivedAt', isAscending: false }], limit: 5 },
          '0',
        ]);
        if (response?.[0] === 'error') this.failures.push(`a query: ${JSON.stringify(response[1])}`);
      } catch (error) {
        this.failures.push(`a read: ${error instanceof Error ? error.message : String(error)}`);
      }
      this.readsMs.push(performance.now() - began);
      await delay(PAUSE_MS);
    }
  }

  /** Waits until so many more mails were accepted, and requests answered. */
  async passes(count: number): Promise<void> {
    const [mails, reads] = [this.acknowledged.length, this.readsMs.length];
    await until(() => this.acknowledged.length >= mails + count && this.readsMs.length >= reads + count, {
      timeoutMs: PASSES_DEADLINE_MS,
      what: `${count} more mails and requests`,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending.abort();
    await this.#running;
  }

  async #subjects(): Promise<string[]> {
    const { accountId } = this.client;
    const [query] = await this.client.call(['Email/query', { accountId }, '0']);
    const ids = (query?.[1].ids ?? []) as string[];
    const subjects: string[] = [];
    for (let start = 0; start < ids.length; start += PAGE) {
      const page = { accountId, ids: ids.slice(start, start + PAGE), properties: ['subject'] };
      const [response] = await this.client.call(['Email/get', page, '0']);
      subjects.push(...((response?.[1].list ?? []) as { subject: string }[]).map(({ subject }) => subject));
    }
    return subjects;
  }

  /** Ends the load, and asserts that nothing failed and that every acknowledged mail is there once. */
  async assertGood(): Promise<void> {
    await this[Symbol.asyncDispose]();
    assert.deepEqual(this.failures, []);
    const found = (await this.#subjects()).filter((subject) => subject.startsWith(this.#name));
    const twice = found.filter((subject, index) => found.indexOf(subject) !== index);
    const lost = this.acknowledged.filter((subject) => !found.includes(subject));
    assert.deepEqual({ lost, twice }, { lost: [], twice: [] });
  }
}
