// JMAP over a real HBase: what crosses the store's edge, and what another app server finds.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { STORES, type StoreUnderTest } from '../conformance/log-stores.ts';
import { Harness, mail, type Json } from './jmap-harness.ts';

const hbase = STORES.find(({ name }) => name === 'HBase');
const skip = hbase ? (hbase.skip?.() ?? false) : 'there is no HBase store';

suite('JMAP over HBase', { skip }, () => {
  let store: StoreUnderTest;
  let server: Harness;

  before(async () => {
    assert.ok(hbase);
    store = await hbase.start();
    server = await Harness.start(store.url);
    await server.createUser('alice', 'alice@cellpost.test');
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await store?.close();
  });

  const all = (): Promise<Json> =>
    server.call('alice', [
      ['Mailbox/get', { accountId: 'alice' }, 'm'],
      ['Email/query', { accountId: 'alice', filter: { text: 'body' }, sort: [{ property: 'subject' }] }, 'q'],
      [
        'Email/get',
        {
          accountId: 'alice',
          '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' },
          fetchTextBodyValues: true,
        },
        'e',
      ],
    ]);

  test('mail is delivered, found, read and changed; another server over the same table has it all', async () => {
    const since = (await server.one('alice', 'Email/get', { ids: [] })).state;
    const delivered: Json[] = [];
    for (let n = 0; n < 5; n++)
      delivered.push(
        await server.deliver('alice', mail(`Subject ${n}`, `The body of ${n}.`), { deliveryKey: `k${n}` }),
      );
    const more = Array.from({ length: 40 }, (_, n) =>
      server.deliver('alice', mail(`More ${n}`, 'Another body.')),
    );
    await Promise.all(more);
    const id = delivered[2].emailId;
    await server.one('alice', 'Email/set', {
      update: { [id]: { 'keywords/$seen': true } },
      destroy: [delivered[3].emailId],
    });
    const [mailboxes, query, emails] = await all();
    assert.deepEqual([mailboxes?.[1].list[0].totalEmails, mailboxes?.[1].list[0].unreadEmails], [44, 43]);
    assert.equal(query?.[1].ids.length, 44);
    const email = emails?.[1].list.find((each: Json) => each.id === id);
    assert.equal(email.bodyValues['1'].value.trim(), 'The body of 2.');
    const changes = await server.one('alice', 'Email/changes', { sinceState: since });
    assert.deepEqual([changes.created.length, changes.updated, changes.destroyed], [44, [], []]);
    const before = await all();
    await server.stop();
    await server.open();
    assert.deepEqual(await all(), before);
    const again = await server.deliver('alice', mail('Subject 0', 'The body of 0.'), { deliveryKey: 'k0' });
    assert.deepEqual([again.emailId, again.duplicate], [delivered[0].emailId, true]);
  });
});
