// One mail from the wire to a real HBase: its request id in the logs of all who worked on it and in the row, and one trace.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import nodemailer from 'nodemailer';
import { z } from 'zod';
import { startHbase, type Hbase } from '../real/hbase.ts';
import { zooKeeperMissing } from '../real/zookeeper.ts';
import { isAbout, readLogLines } from '../support/log-lines.ts';
import { startRealPlatform, type RealPlatform } from '../support/real-platform.ts';
import { TraceReceiver, type Span } from '../support/trace-receiver.ts';
import { until } from '../support/wait.ts';

const START_DEADLINE_MS = 300_000;
const ADDRESSES = Array.from({ length: 12 }, (_, n) => `traced${n}@cellpost.test`);
/** From the append of an entry up to the message that it is of. */
const PATH = [
  'cellpost-app-server append',
  'cellpost-app-server delivery',
  'cellpost-mta-proxy call app server',
  'cellpost-mta-proxy deliver',
  'cellpost-mta-proxy SMTP message',
];
const NAME = 'traced';
const WAIT = { timeoutMs: 20_000, what: 'the trace' };

const skip = (await zooKeeperMissing()) ?? false;

/** As HBase REST tells rows: bytes in base64. */
const rows = z.object({ Row: z.array(z.object({ Cell: z.array(z.object({ $: z.string() })) })) });

suite('one mail over SMTP, with its log in HBase', { skip }, () => {
  let hbase: Hbase;
  let platform: RealPlatform;
  let receiver: TraceReceiver;
  /** What its 250 called it. */
  let requestId = '';

  before(
    async () => {
      receiver = await TraceReceiver.start();
      // OpenTelemetry reads its variables in the environment of each process, which has that of this one.
      Object.assign(process.env, receiver.env);
      hbase = await startHbase();
      platform = await startRealPlatform(hbase, NAME, { CELLPOST_LOG_LEVEL: 'debug' });
      for (const address of ADDRESSES)
        await platform.cells.createUser({ addresses: [address], displayName: '', password: 'a word' });
      requestId = await send(ADDRESSES.slice(0, 1));
    },
    { timeout: START_DEADLINE_MS },
  );

  after(async () => {
    await platform?.[Symbol.asyncDispose]();
    await hbase?.close();
    await receiver?.close();
  });

  /** @returns what its 250 calls it */
  async function send(to: string[]): Promise<string> {
    const transport = nodemailer.createTransport({
      host: '127.0.0.1',
      port: platform.smtpPort,
      secure: false,
    });
    const mail = { from: 'you@example.org', to, subject: 'traced', text: 'x' };
    const { response } = await transport.sendMail(mail);
    transport.close();
    return /Stored as (\S+)/.exec(response)?.[1] ?? '';
  }

  /** All values of the cells' tables, as HBase itself gives them. */
  async function stored(): Promise<Buffer[]> {
    const found: Buffer[] = [];
    for (const cell of ['a', 'b']) {
      const response = await fetch(`${hbase.restUrl}/${NAME}_${cell}/*`, {
        headers: { accept: 'application/json' },
      });
      if (response.status === 404) continue;
      assert.equal(response.status, 200);
      const { Row } = rows.parse(await response.json());
      found.push(...Row.flatMap(({ Cell }) => Cell.map(({ $ }) => Buffer.from($, 'base64'))));
    }
    return found;
  }

  test('its request id is in the logs of the MTA proxy and of the app server, and in the row', async () => {
    assert.match(requestId, /^[\w-]{8,}$/);
    const lines = (await readLogLines(platform.logs)).filter((line) => isAbout(line, requestId));
    const said = (workload: string, msg: string): boolean =>
      lines.some((line) => line.workload === workload && line.msg === msg);
    assert.ok(said('mta-proxy', 'message answered'));
    assert.ok(said('app-server', 'request answered'), 'who the recipient is');
    assert.ok(said('app-server', 'an entry is durable'), 'the message');
    assert.ok((await stored()).some((value) => value.includes(requestId)));
  });

  test('it is one trace, from the MTA proxy down to the call of HBase that stored it', async () => {
    const root = await until(() => receiver.ofMessage(requestId), WAIT);
    assert.equal(root.service, 'cellpost-mta-proxy');
    const stored = await until(() => receiver.inTrace(root, 'cellpost-app-server', 'hbase Mutate'), WAIT);
    await until(() => receiver.ancestors(stored).length >= PATH.length, WAIT);
    assert.deepEqual(receiver.ancestors(stored), PATH);
  });

  test('entries that are stored together are in the trace of one of them, and each other one in its own', async () => {
    const storesIn = (spans: readonly Span[]): Span[] =>
      spans.filter(({ name }) => name === 'append group' || name === 'hbase Mutate');
    // Whether entries meet on their way is chance.
    const group = await until(
      async () => {
        await Promise.all(ADDRESSES.map((address) => send([address])));
        return receiver.spans.find(
          (span) => span.name === 'append group' && receiver.ancestors(span).length === PATH.length,
        );
      },
      { ...WAIT, what: 'entries that are stored together' },
    );
    assert.deepEqual(receiver.ancestors(group), PATH);
    const call = await until(
      () => receiver.spans.find(({ parentSpanId }) => parentSpanId === group.spanId),
      WAIT,
    );
    assert.equal(call.name, 'hbase ExecService');
    const storedBelow = new Set<string | undefined>();
    for (const { name, parentSpanId } of storesIn(receiver.spans)) {
      assert.ok(
        !storedBelow.has(parentSpanId),
        `${name} is below an append that has been stored by another call`,
      );
      storedBelow.add(parentSpanId);
    }
  });
});
