// Counts/get and /set: what is unread and what is new, over JMAP and for services.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { Harness, mail, TOKEN, type Json } from './jmap-harness.ts';

const USING = ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail', 'urn:cellpost:counts'];
const ALICE = 'alice@cellpost.test';

describe('counts', () => {
  let harness: Harness;
  before(async () => {
    harness = await Harness.start('sqlite');
    await harness.createUser('alice', ALICE);
  });
  after(() => harness[Symbol.asyncDispose]());

  async function one(name: string, args: Json): Promise<Json> {
    const [answer] = await harness.call(
      'alice',
      [[name, { accountId: 'alice', ...args }, '0']],
      ALICE,
      USING,
    );
    return answer?.[1];
  }
  const look = (): Promise<Json> => one('Counts/set', { update: { singleton: { unseen: 0 } } });

  async function counts(): Promise<[unread: number, unseen: number]> {
    const { list } = await one('Counts/get', { ids: null });
    assert.equal(list.length, 1);
    return [list[0].unread, list[0].unseen];
  }

  test('what arrives is unread and new; a look makes it old, and reading it makes it read', async () => {
    assert.deepEqual(await counts(), [0, 0]);
    for (const subject of ['first', 'second']) await harness.deliver('alice', mail(subject));
    assert.deepEqual(await counts(), [2, 2]);
    const { oldState, newState } = await look();
    assert.notEqual(oldState, newState);
    assert.deepEqual(await counts(), [2, 0]);
    const { emailId: id } = await harness.deliver('alice', mail('third'));
    assert.deepEqual(await counts(), [3, 1]);
    await one('Email/set', { update: { [id]: { 'keywords/$seen': true } } });
    assert.deepEqual(await counts(), [2, 0]);
    await look();
    await one('Email/set', { update: { [id]: { 'keywords/$seen': null } } });
    assert.deepEqual(await counts(), [3, 0], 'looked at is not new, whatever it is marked as');
  });

  test('services are told the same; a look at nothing new adds nothing to the log', async () => {
    const ask = async (): Promise<Json> => {
      const init = { method: 'POST', body: JSON.stringify({ users: ['alice', 'nobody'] }) };
      return await (await harness.fetch('/counts', bearer(TOKEN), init)).json();
    };
    const before = await ask();
    assert.deepEqual(before.unknown, ['nobody']);
    assert.equal(before.counts[0].unseen, 0);
    const { oldState, newState } = await look();
    assert.equal(oldState, newState);
    assert.deepEqual(await ask(), before);
    await harness.deliver('alice', mail('fourth'));
    const [after] = (await ask()).counts;
    assert.deepEqual([after.unread, after.unseen], [4, 1]);
    await harness.stop();
    await harness.open();
    const [again] = (await ask()).counts;
    assert.deepEqual([again.unread, again.unseen], [4, 1]);
  });

  test('nothing else can be set, and there is one object', async () => {
    const refused = await one('Counts/set', {
      create: { a: {} },
      update: { singleton: { unseen: 3 }, other: { unseen: 0 } },
      destroy: ['singleton'],
    });
    assert.equal(refused.notCreated.a.type, 'singleton');
    assert.deepEqual(refused.notUpdated.singleton.properties, ['unseen']);
    assert.equal(refused.notUpdated.other.type, 'notFound');
    assert.equal(refused.notDestroyed.singleton.type, 'singleton');
    assert.equal((await one('Counts/set', { ifInState: 's9-9', update: {} })).type, 'stateMismatch');
  });
});
