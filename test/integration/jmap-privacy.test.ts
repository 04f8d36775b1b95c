// PrivacySettings/get and /set, and what they do to what arrives.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Degree } from '../../workloads/app-server/relations.ts';
import { Harness, mail, type Json } from './jmap-harness.ts';

const USING = ['urn:ietf:params:jmap:core', 'urn:cellpost:privacy'];
const ALICE = 'alice@cellpost.test';

describe('privacy', () => {
  let harness: Harness;
  /** What is said of every sender. */
  let degree: Degree = 'unknown';
  before(async () => {
    harness = await Harness.start('sqlite', undefined, { degree: async () => degree });
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

  const set = (patch: Json): Promise<Json> => one('PrivacySettings/set', { update: { singleton: patch } });

  test('there is one object, with defaults, that can be changed but neither made nor destroyed', async () => {
    const { list, state } = await one('PrivacySettings/get', { ids: null });
    const defaults = { blockedAddresses: [], blockedDomains: [], mutedSenders: [], mutedThreads: [] };
    assert.deepEqual(list, [{ id: 'singleton', reach: 'everyone', ...defaults }]);
    const refused = await one('PrivacySettings/set', {
      create: { a: {} },
      update: { other: {} },
      destroy: ['singleton'],
    });
    assert.equal(refused.notCreated.a.type, 'singleton');
    assert.equal(refused.notUpdated.other.type, 'notFound');
    assert.equal(refused.notDestroyed.singleton.type, 'singleton');
    assert.equal(refused.newState, state);
    const bad = await set({ reach: 'nobody', blockedDomains: ['a b'], mutedThreads: ['x'], x: 1 });
    assert.deepEqual(bad.notUpdated.singleton.properties.toSorted(), [
      'blockedDomains',
      'mutedThreads',
      'reach',
      'x',
    ]);
    const many = await set({ blockedAddresses: Array.from({ length: 501 }, (_, i) => `a${i}@b.test`) });
    assert.deepEqual(many.notUpdated.singleton.properties, ['blockedAddresses']);
    const stale = await one('PrivacySettings/set', { ifInState: 's9-9', update: {} });
    assert.equal(stale.type, 'stateMismatch');
  });

  test('settings are kept in one form, also by a server that has just started', async () => {
    const { updated, newState } = await set({
      blockedAddresses: ['Eve@B.test', 'eve@b.test'],
      blockedDomains: ['Bücher.Test'],
    });
    assert.deepEqual(updated, { singleton: null });
    await harness.stop();
    await harness.open();
    const { list, state, notFound } = await one('PrivacySettings/get', {
      ids: ['singleton', 'x'],
      properties: ['blockedAddresses', 'blockedDomains'],
    });
    assert.deepEqual(list, [
      { id: 'singleton', blockedAddresses: ['eve@b.test'], blockedDomains: ['xn--bcher-kva.test'] },
    ]);
    assert.deepEqual(notFound, ['x']);
    assert.equal(state, newState);
  });

  test('whoever may not reach the user hears the same, whatever the reason', async () => {
    const answers: Json[] = [];
    await set({ blockedAddresses: ['carol@example.org'], reach: 'everyone' });
    answers.push(await harness.deliver('alice', mail('blocked')));
    degree = 'none';
    await set({ blockedAddresses: [], reach: 'friendsOfFriends' });
    answers.push(await harness.deliver('alice', mail('a stranger')));
    degree = 'friend-of-friend';
    await set({ reach: 'friends' });
    answers.push(await harness.deliver('alice', mail('nearly a friend')));
    for (const answer of answers) assert.equal(answer.type, 'forbidden');
    assert.equal(new Set(answers.map((answer) => JSON.stringify(answer))).size, 1);
    degree = 'friend';
    assert.equal((await harness.deliver('alice', mail('a friend'))).duplicate, false);
    degree = 'unknown';
    assert.equal((await harness.deliver('alice', mail('who knows'))).duplicate, false);
    const { list } = await harness.one('alice', 'Mailbox/get', {});
    const count = (name: string): number => list.find((box: Json) => box.name === name).totalEmails;
    assert.deepEqual([count('Inbox'), count('Other')], [1, 1]);
  });
});
