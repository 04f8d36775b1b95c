// Cells are taken out of service and back while mail and requests come for users of both.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import nodemailer from 'nodemailer';
import { CellDisabled } from '../../workloads/common/cell-client/errors.ts';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { openTestCells } from '../support/cells.ts';
import { basic, openJmap } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

const PASSWORD = 'a long enough password';
const WAIT = { timeoutMs: 30_000 };
/** Enough to have some in each of two cells, which share them evenly. */
const ADDRESSES = Array.from({ length: 6 }, (_, i) => `resident${i}@cellpost.test`);

type User = { address: string; userId: string; cell: string };
type Listed = { name: string; state: string; buckets: number; serving: number };

let platform: PlatformUnderTest;
let cells: Cells & AsyncDisposable;
let users: User[];

before(async () => {
  platform = await startPlatform();
  cells = await openTestCells(platform.home);
  users = await Promise.all(
    ADDRESSES.map(async (address) => {
      const userId = await cells.createUser({ addresses: [address], displayName: '', password: PASSWORD });
      return { address, userId, cell: (await cells.where(`user:${userId}`)).cell };
    }),
  );
});

after(async () => {
  await cells?.[Symbol.asyncDispose]();
  await platform?.[Symbol.asyncDispose]();
});

const userOf = (cell: string): User => {
  const user = users.find((one) => one.cell === cell);
  assert.ok(user, `a user in cell ${cell}`);
  return user;
};

/** @throws with the proxy's refusal */
async function send(to: string, subject: string): Promise<void> {
  const transport = nodemailer.createTransport({
    host: '127.0.0.1',
    port: platform.smtpPort,
    ignoreTLS: true,
  });
  try {
    await transport.sendMail({ from: 'you@example.org', to, subject, text: subject });
  } finally {
    transport.close();
  }
}

const session = ({ address }: User): Promise<Response> =>
  fetch(`${platform.webUrl}/jmap/session`, { headers: { authorization: basic(address, PASSWORD) } });

const list = (): Promise<Listed[]> => platform.cellctl<Listed[]>('cell', 'list');
const become = (verb: string, cell: string): Promise<unknown> => platform.cellctl('cell', verb, cell);

test('a user is in the cell of the address that they sign in with', async () => {
  for (const { address, cell } of users)
    assert.equal((await cells.where(`address:${address}`)).cell, cell, address);
  assert.deepEqual([...new Set(users.map(({ cell }) => cell))].toSorted(), ['a', 'b']);
});

test('a disabled cell tells mail and requests to come back, loses nothing, and no user of another cell notices', async (t) => {
  const [inA, inB] = [userOf('a'), userOf('b')];
  await send(inA.address, 'before');
  const errors: unknown[] = [];
  const acknowledged: string[] = [];
  const stop = new AbortController();
  t.after(() => stop.abort());
  const load = [mailLoad(), requestLoad()];

  await become('disable', 'a');
  const answer = await until(
    async () => {
      const response = await session(inA);
      return response.status === 503 ? response : undefined;
    },
    { ...WAIT, what: 'cell a to be out of service' },
  );
  assert.equal(answer.headers.get('retry-after'), '30');
  assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
  const problem = (await answer.json()) as { type: string; status: number; detail: string };
  assert.equal(problem.type, 'urn:cellpost:error:cell-disabled');
  assert.equal(problem.status, 503);
  await assert.rejects(
    until(() => cells.where(`user:${inA.userId}`).then(() => undefined), WAIT),
    (error: Error) => error instanceof CellDisabled && error.cell === 'a',
  );
  const refusal = await until(
    () =>
      send(inA.address, 'early').then(
        () => undefined,
        (error: Error) => error,
      ),
    {
      ...WAIT,
      what: 'the MTA proxy to know',
    },
  );
  assert.match(refusal.message, /451 4\.3\.2/);
  assert.deepEqual(
    (await list()).map(({ name, state, serving }) => [name, state, serving]),
    [
      ['a', 'Disabled', 2],
      ['b', 'Enabled', 2],
    ],
  );
  const seen = acknowledged.length;
  await until(() => Promise.resolve(acknowledged.length > seen + 10), { ...WAIT, what: 'mail for cell b' });

  await become('enable', 'a');
  // The sender's queue: what was answered with 451 is sent again.
  await until(
    () =>
      send(inA.address, 'after').then(
        () => true,
        () => false,
      ),
    { ...WAIT, what: 'cell a to be back' },
  );
  stop.abort();
  await Promise.all(load);
  assert.deepEqual(errors, [], 'errors of users of cell b');
  const jmapA = await until(
    () => openJmap(platform.webUrl, inA.address, PASSWORD).catch(() => undefined),
    WAIT,
  );
  const subjects = await jmapA.subjects();
  assert.ok(subjects.includes('before') && subjects.includes('after'), subjects.join());
  const jmapB = await openJmap(platform.webUrl, inB.address, PASSWORD);
  assert.equal((await jmapB.subjects()).length, acknowledged.length);
  t.diagnostic(`${acknowledged.length} mails for cell b while cell a came and went`);

  async function mailLoad(): Promise<void> {
    for (let count = 0; !stop.signal.aborted; count++) {
      await send(inB.address, `load ${count}`).then(
        () => acknowledged.push(`load ${count}`),
        (error: unknown) => errors.push(error),
      );
    }
  }
  async function requestLoad(): Promise<void> {
    while (!stop.signal.aborted) {
      const response = await session(inB);
      if (response.status !== 200) errors.push(response.status);
      await response.arrayBuffer();
    }
  }
});

test('a draining cell serves its users and gets no new ones', async () => {
  await become('drain', 'a');
  const inA = userOf('a');
  const jmap = await openJmap(platform.webUrl, inA.address, PASSWORD);
  await send(inA.address, 'while draining');
  assert.ok((await jmap.subjects()).includes('while draining'));
  const bucketsOfA = async (): Promise<number> =>
    (await list()).find(({ name }) => name === 'a')?.buckets ?? 0;
  const before = await bucketsOfA();
  for (const name of ['x', 'y', 'z']) {
    const address = `newcomer-${name}@cellpost.test`;
    const userId = await cells.createUser({ addresses: [address], displayName: '', password: PASSWORD });
    assert.equal((await cells.where(`user:${userId}`)).cell, 'b');
  }
  assert.equal(await bucketsOfA(), before);
  await become('enable', 'a');
});

test('a cell that nobody knows is refused with a sentence', async () => {
  await assert.rejects(become('disable', 'zz'), /There is no cell zz; there are a, b\./);
});
