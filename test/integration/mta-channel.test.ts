// A delivery channel: the MTA proxy's side against a real app server, and hostile peers against that server.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { Misdirected } from '../../workloads/app-server/log/user-log-errors.ts';
import type { OwnershipGate } from '../../workloads/app-server/log/user-log-types.ts';
import { soleOwner } from '../../workloads/app-server/ring/sole-owner.ts';
import type { AttemptResult } from '../../workloads/common/cell-client/sender.ts';
import {
  DELIVERY_PATH,
  DELIVERY_PROTOCOL,
  encodeDelivery,
  type Answer,
} from '../../workloads/common/delivery/delivery-wire.ts';
import { FrameWriter } from '../../workloads/common/delivery/frames.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { encodeMessageBytes } from '../../workloads/common/mime/message-wire.ts';
import { parseMessage } from '../../workloads/common/mime/parser.ts';
import {
  DeliveryChannel,
  type OutgoingDelivery,
} from '../../workloads/mta-proxy/delivery/delivery-channel.ts';
import { Harness, TOKEN } from './jmap-harness.ts';

const USER = 'alice';
const never = new AbortController().signal;
const nothing = new Uint8Array();

let harness: Harness;
const channels: DeliveryChannel[] = [];
/** Keys that belong to another server. */
const elsewhere = new Set<string>();

beforeEach(async () => {
  const sole = soleOwner('a-0', 'session');
  const gate: OwnershipGate = {
    ...sole,
    assertOwner(key) {
      if (elsewhere.has(key)) throw gate.redirect(key);
    },
    tenure: () => sole.tenure(),
    redirect: (key) => {
      const member = { name: 'a-1', url: 'http://127.0.0.1:9', tokens: [], session: 's', state: 'serving' };
      return new Misdirected(key, member as never, 7, 20);
    },
  };
  harness = await Harness.start('memory', gate);
  await harness.createUser(USER, 'alice@cellpost.test');
});
afterEach(async () => {
  elsewhere.clear();
  for (const channel of channels.splice(0)) channel.destroy();
  await harness[Symbol.asyncDispose]();
});

function open(token = TOKEN): DeliveryChannel {
  const channel = new DeliveryChannel(new URL(harness.url), token, () => undefined);
  channels.push(channel);
  return channel;
}

function delivery(subject: string, changes: Partial<OutgoingDelivery> = {}): OutgoingDelivery {
  const bytes = Buffer.from(`Subject: ${subject}\r\n\r\nHello.\r\n`);
  return {
    userId: USER,
    requestId: 'r1',
    deliveryKey: subject,
    receivedAtMs: 1_700_000_000_000,
    mailFrom: 'bob@example.org',
    rcptTo: ['alice@cellpost.test'],
    message: encodeMessageBytes(parseMessage(bytes)),
    blob: nothing,
    authentication: undefined,
    junk: '',
    bytes,
    ...changes,
  };
}

function answer(result: AttemptResult<Answer>): Omit<Answer, 'number'> {
  assert.ok('response' in result, JSON.stringify(result));
  const { status, duplicate, problem } = result.response;
  return { status, duplicate, problem };
}

const STORED = { status: 200, duplicate: false, problem: '' };

test('many deliveries at once are stored, each once; what is read back is what was sent', async () => {
  const channel = open();
  const sent = Array.from({ length: 300 }, (_, n) => delivery(`mail ${n}`));
  const results = await Promise.all(sent.map((one) => channel.send(one, never)));
  for (const result of results) assert.deepEqual(answer(result), STORED);
  const again = answer(await channel.send(delivery('mail 7'), never));
  assert.deepEqual(again, { ...STORED, duplicate: true });
  const { ids } = await harness.one(USER, 'Email/query', { filter: { subject: 'mail 299' } });
  const { list } = await harness.one(USER, 'Email/get', {
    ids,
    properties: ['subject', 'preview', 'receivedAt', 'size'],
  });
  assert.deepEqual(
    list.map(({ id: _id, ...email }: { id: string }) => email),
    [
      {
        subject: 'mail 299',
        preview: 'Hello.',
        receivedAt: '2023-11-14T22:13:20Z',
        size: sent[299]?.bytes.length,
      },
    ],
  );
  const counted = await harness.one(USER, 'Email/query', { calculateTotal: true, limit: 1 });
  assert.equal(counted.total, 300);
});

test('what can not be stored is refused by name, and the channel goes on', async () => {
  const channel = open();
  const refusals: [Partial<OutgoingDelivery>, string][] = [
    [{ userId: 'nobody' }, 'accountNotFound'],
    [{ userId: '../x' }, 'invalidArguments'],
    [{ deliveryKey: '' }, 'invalidArguments'],
    [{ deliveryKey: 'k'.repeat(1_025) }, 'invalidArguments'],
    [{ bytes: Buffer.from('another length') }, 'invalidArguments'],
    [{ message: Buffer.from('no message') }, 'invalidArguments'],
    [{ message: nothing }, 'invalidArguments'],
    [{ receivedAtMs: -1 }, 'invalidArguments'],
    [{ blob: Buffer.alloc(31) }, 'invalidArguments'],
    [{ blob: Buffer.alloc(32) }, 'invalidArguments'],
  ];
  for (const [changes, problem] of refusals) {
    const result = answer(await channel.send(delivery('refused', changes), never));
    assert.deepEqual(result, { status: 422, duplicate: false, problem }, JSON.stringify(changes));
  }
  assert.deepEqual(answer(await channel.send(delivery('taken'), never)), STORED);
});

test("a user of another server's is told where", async () => {
  elsewhere.add(`user:${USER}`);
  const result = await open().send(delivery('moved'), never);
  assert.ok('verdict' in result);
  assert.deepEqual(result.verdict, {
    kind: 'elsewhere',
    waitMs: 20,
    owner: { name: 'a-1', url: 'http://127.0.0.1:9', ringVersion: 7 },
  });
});

test('a delivery that is given up, and one whose channel ends, fail; the server answers the next channel', async () => {
  const channel = open();
  assert.deepEqual(answer(await channel.send(delivery('first'), never)), STORED);
  const giveUp = new AbortController();
  const given = assert.rejects(channel.send(delivery('given up'), giveUp.signal), { name: 'ChannelLost' });
  giveUp.abort(new Error('late'));
  await given;
  const lost = assert.rejects(channel.send(delivery('lost'), never), { name: 'ChannelLost' });
  channel.destroy();
  await lost;
  await assert.rejects(channel.send(delivery('after the end'), never), { name: 'ChannelLost' });
  assert.deepEqual(answer(await open().send(delivery('next'), never)), STORED);
});

test('a server that closes answers what it has taken', async () => {
  const channel = open();
  await channel.send(delivery('warm'), never);
  const results = Array.from({ length: 50 }, (_, n) => channel.send(delivery(`last ${n}`), never));
  const settled = Promise.allSettled(results);
  await harness.stop();
  for (const result of await settled) {
    if (result.status === 'fulfilled') assert.deepEqual(answer(result.value), STORED);
    else assert.equal((result.reason as Error).name, 'ChannelLost');
  }
});

test('only services get a channel, and only there', async () => {
  await assert.rejects(open('some other token of sixteen').send(delivery('x'), never), /401/);
  for (const [path, headers, status] of [
    [DELIVERY_PATH, { authorization: bearer(TOKEN), upgrade: 'websocket' }, 404],
    ['/elsewhere', { authorization: bearer(TOKEN), upgrade: DELIVERY_PROTOCOL }, 404],
    [DELIVERY_PATH, { upgrade: DELIVERY_PROTOCOL }, 401],
  ] as const) {
    const asking = request(new URL(path, harness.url), { headers: { connection: 'Upgrade', ...headers } });
    asking.end();
    const [response] = await once(asking, 'response');
    assert.equal(response.statusCode, status);
    response.resume();
  }
});

/** A channel in which a test says what it likes. */
async function raw(): Promise<Socket> {
  const asking = request(new URL(DELIVERY_PATH, harness.url), {
    headers: { connection: 'Upgrade', upgrade: DELIVERY_PROTOCOL, authorization: bearer(TOKEN) },
  });
  asking.end();
  const [, socket] = (await once(asking, 'upgrade')) as [unknown, Socket];
  socket.on('error', () => undefined);
  return socket;
}

test('a channel that says what is no delivery is cut, and the others live on', async () => {
  const good = open();
  await good.send(delivery('before'), never);
  const prefix = (length: number, head: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32BE(length, 0);
    bytes.writeUInt32BE(head, 4);
    return bytes;
  };
  const garbage = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    prefix(0xffff_ffff, 0),
    prefix(8, 0xffff_ffff),
    Buffer.concat([prefix(12, 8), Buffer.alloc(8, 0xff)]),
  ];
  for (const bytes of garbage) {
    const socket = await raw();
    socket.resume();
    socket.write(bytes);
    await once(socket, 'close');
  }
  assert.deepEqual(answer(await good.send(delivery('after'), never)), STORED);
});

test('a peer that sends and never listens stops being read, and takes nothing from the others', async () => {
  const deaf = await raw();
  deaf.pause();
  const writer = new FrameWriter(deaf);
  const { bytes, ...header } = delivery('flood');
  for (let number = 1; number <= 5_000; number++)
    writer.write(
      encodeDelivery({ ...header, number, deliveryKey: `flood ${number % 10}`, traceparent: '' }),
      bytes,
    );
  assert.deepEqual(answer(await open().send(delivery('beside'), never)), STORED);
  deaf.destroy();
});
