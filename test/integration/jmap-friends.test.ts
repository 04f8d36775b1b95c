// Friendships as the API has them: Friend/get, Friend/set, Friend/changes.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Harness, type Json } from './jmap-harness.ts';

const USING = ['urn:ietf:params:jmap:core', 'urn:cellpost:friends'];

describe('friends', () => {
  let harness: Harness;
  before(async () => {
    harness = await Harness.start('sqlite');
    await harness.createUser('alice', 'alice@cellpost.test');
  });
  after(() => harness[Symbol.asyncDispose]());

  async function one(name: string, args: Json, address?: string): Promise<Json> {
    const calls: [string, Json, string][] = [[name, { accountId: 'alice', ...args }, '0']];
    const [answer] = await harness.call('alice', calls, address, USING);
    return answer?.[1];
  }

  test('the platform makes friends, the user may only end a friendship', async () => {
    const create = {
      a: { userId: 'bob' },
      b: { userId: 'carol' },
      c: { userId: 'alice' },
      d: { userId: '!' },
    };
    const refused = await one('Friend/set', { create: { a: { userId: 'bob' } } }, 'alice@cellpost.test');
    assert.equal(refused.notCreated.a.type, 'forbidden');
    const made = await one('Friend/set', { create });
    assert.deepEqual(made.created, { a: { id: 'bob' }, b: { id: 'carol' } });
    assert.deepEqual(Object.keys(made.notCreated), ['c', 'd']);
    const ended = await one('Friend/set', { destroy: ['carol'] }, 'alice@cellpost.test');
    assert.deepEqual(ended.destroyed, ['carol']);
    const { list, notFound } = await one('Friend/get', { ids: ['bob', 'carol'] });
    assert.deepEqual([list.map(({ id }: Json) => id), notFound], [['bob'], ['carol']]);
  });

  test('changes since a state are told, in parts when there are many, also by a server that has just started', async () => {
    const { state } = await one('Friend/get', { ids: [] });
    const names = ['f1', 'f2', 'f3', 'f4'];
    for (const userId of names) await one('Friend/set', { create: { a: { userId } } });
    await one('Friend/set', { destroy: ['bob', 'f2'] });
    await harness.stop();
    await harness.open();
    const all = await one('Friend/changes', { sinceState: state });
    assert.deepEqual([all.created, all.updated, all.destroyed], [['f1', 'f3', 'f4'], [], ['bob']]);
    const known = new Set(['bob']);
    for (let since = state, more = true; more;) {
      const part = await one('Friend/changes', { sinceState: since, maxChanges: 2 });
      assert.ok(part.created.length + part.updated.length + part.destroyed.length <= 2);
      for (const id of part.created) known.add(id);
      for (const id of part.destroyed) known.delete(id);
      since = part.newState;
      more = part.hasMoreChanges;
    }
    assert.deepEqual([...known].sort(), ['f1', 'f3', 'f4']);
  });
});
