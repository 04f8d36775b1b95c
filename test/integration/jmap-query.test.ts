// Email/query (RFC 8621 section 4.4): filters, sorting, windows.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Harness, mail, type Json } from './jmap-harness.ts';

const at = (minute: number): string => `2026-11-23T10:${String(minute).padStart(2, '0')}:00Z`;

suite('Email/query', () => {
  let server: Harness;
  let inbox: string;
  let archive: string;
  /** By name, in order of receivedAt. */
  const ids: Record<string, string> = {};

  before(async () => {
    server = await Harness.start();
    await server.createUser('alice', 'alice@cellpost.test');
    inbox = await server.mailboxId('alice', 'inbox');
    archive = await server.mailboxId('alice', 'archive');
    const messages: [name: string, text: string][] = [
      ['apples', mail('Apples', 'Twelve red fruits')],
      ['reply', mail('Re: Apples', 'Thank you', 'In-Reply-To: <Apples@example.org>\nX-Tag: Fruit salad\n')],
      ['bananas', mail('bananas', 'Yellow fruits').replace('Carol <carol@', '"bob B." <bob@')],
      ['cherries', mail('Cherries', 'Z\u00fcrich').replace('Alice <alice@', 'Dora <dora@')],
      ['large', mail('Dates', 'x'.repeat(5000), 'Cc: erin@example.net\n')],
    ];
    for (const [index, [name, text]] of messages.entries())
      ids[name] = (await server.deliver('alice', text, { receivedAt: at(index) })).emailId;
    await server.one('alice', 'Email/set', {
      update: {
        [ids.apples ?? '']: { 'keywords/$seen': true },
        [ids.cherries ?? '']: { mailboxIds: { [archive]: true }, 'keywords/work': true },
        [ids.bananas ?? '']: { [`mailboxIds/${archive}`]: true },
      },
    });
  });
  after(() => server[Symbol.asyncDispose]());

  const query = (args: Json): Promise<Json> => server.one('alice', 'Email/query', args);
  const names = (list: string[]): string[] =>
    list.map((id) => Object.entries(ids).find(([, known]) => known === id)?.[0] ?? id);
  /** What a filter finds, oldest first. */
  const found = async (filter: Json): Promise<string[]> =>
    names((await query({ filter, sort: [{ property: 'receivedAt', isAscending: true }] })).ids);

  test('without a filter everything comes, newest first', async () => {
    const result = await query({});
    assert.deepEqual(names(result.ids), ['large', 'cherries', 'bananas', 'reply', 'apples']);
    assert.deepEqual([result.position, result.canCalculateChanges, 'total' in result], [0, true, false]);
    assert.equal(result.queryState, (await server.one('alice', 'Email/get', { ids: [] })).state);
  });

  test('each condition means what RFC 8621 says', async () => {
    assert.deepEqual(await found({ inMailbox: archive }), ['bananas', 'cherries']);
    assert.deepEqual(await found({ inMailbox: 'm99-0' }), []);
    assert.deepEqual(await found({ inMailboxOtherThan: [inbox] }), ['bananas', 'cherries']);
    assert.deepEqual(await found({ inMailboxOtherThan: [inbox, archive] }), []);
    assert.deepEqual(await found({ before: at(1) }), ['apples']);
    assert.deepEqual(await found({ after: at(3) }), ['cherries', 'large']);
    assert.deepEqual(await found({ minSize: 5000 }), ['large']);
    assert.equal((await found({ maxSize: 5000 })).length, 4);
    assert.deepEqual(await found({ hasKeyword: '$Seen' }), ['apples']);
    assert.equal((await found({ notKeyword: '$seen' })).length, 4);
    assert.deepEqual(await found({ someInThreadHaveKeyword: '$seen' }), ['apples', 'reply']);
    assert.deepEqual(await found({ allInThreadHaveKeyword: 'work' }), ['cherries']);
    assert.deepEqual(await found({ noneInThreadHaveKeyword: '$seen' }), ['bananas', 'cherries', 'large']);
    assert.deepEqual(await found({ hasAttachment: true }), []);
    assert.deepEqual(await found({ from: 'BOB' }), ['bananas']);
    assert.deepEqual(await found({ to: 'dora' }), ['cherries']);
    assert.deepEqual(await found({ cc: 'erin@example.net' }), ['large']);
    assert.deepEqual(await found({ bcc: 'erin' }), []);
    assert.deepEqual(await found({ subject: 'apples' }), ['apples', 'reply']);
    assert.deepEqual(await found({ body: 'fruits' }), ['apples', 'bananas']);
    assert.deepEqual(await found({ text: 'red fruits' }), ['apples']);
    assert.deepEqual(await found({ text: 'fruits red' }), ['apples']);
    assert.deepEqual(await found({ text: '"fruits red"' }), []);
    assert.deepEqual(await found({ text: 'Z\u00dcRICH' }), ['cherries']);
    assert.deepEqual(await found({ text: 'carol yellow' }), []);
    assert.deepEqual(await found({ header: ['X-Tag'] }), ['reply']);
    assert.deepEqual(await found({ header: ['x-tag', 'fruit'] }), ['reply']);
    assert.deepEqual(await found({ header: ['x-tag', 'meat'] }), []);
    assert.deepEqual(await found({ inMailbox: inbox, text: 'fruits', before: at(2) }), ['apples']);
    assert.equal((await found({})).length, 5);
  });

  test('operators join conditions, also with conditions that messages must be read for', async () => {
    const seen = { hasKeyword: '$seen' };
    const fruits = { body: 'fruits' };
    assert.deepEqual(await found({ operator: 'AND', conditions: [seen, fruits] }), ['apples']);
    assert.deepEqual(await found({ operator: 'OR', conditions: [seen, fruits] }), ['apples', 'bananas']);
    assert.deepEqual(await found({ operator: 'NOT', conditions: [seen, fruits] }), [
      'reply',
      'cherries',
      'large',
    ]);
    assert.equal((await found({ operator: 'AND', conditions: [] })).length, 5);
    assert.deepEqual(await found({ operator: 'OR', conditions: [] }), []);
    const nested = {
      operator: 'AND',
      conditions: [
        { inMailbox: inbox },
        { operator: 'NOT', conditions: [fruits] },
        { operator: 'OR', conditions: [{ subject: 'dates' }, seen] },
      ],
    };
    assert.deepEqual(await found(nested), ['large']);
  });

  test('each sort property sorts', async () => {
    const sorted = async (...sort: Json[]): Promise<string[]> => names((await query({ sort })).ids);
    assert.deepEqual((await sorted({ property: 'size', isAscending: false }))[0], 'large');
    assert.deepEqual((await sorted({ property: 'from' }))[0], 'bananas');
    assert.deepEqual((await sorted({ property: 'to', isAscending: false }))[0], 'cherries');
    assert.deepEqual(await sorted({ property: 'subject' }, { property: 'receivedAt', isAscending: true }), [
      'apples',
      'reply',
      'bananas',
      'cherries',
      'large',
    ]);
    assert.deepEqual(
      (await sorted({ property: 'hasKeyword', keyword: 'work', isAscending: false }))[0],
      'cherries',
    );
    assert.deepEqual(
      (
        await sorted(
          { property: 'someInThreadHaveKeyword', keyword: '$seen', isAscending: false },
          { property: 'receivedAt' },
        )
      ).slice(0, 2),
      ['apples', 'reply'],
    );
    assert.equal((await sorted({ property: 'sentAt' })).length, 5);
    assert.equal((await sorted({ property: 'allInThreadHaveKeyword', keyword: '$seen' })).length, 5);
  });

  test('windows by position, by anchor and from the end', async () => {
    const window = async (args: Json): Promise<Json> => {
      const { position, ids: list, total } = await query({ calculateTotal: true, ...args });
      return [position, names(list), total];
    };
    assert.deepEqual(await window({ position: 1, limit: 2 }), [1, ['cherries', 'bananas'], 5]);
    assert.deepEqual(await window({ position: -2 }), [3, ['reply', 'apples'], 5]);
    assert.deepEqual(await window({ position: -99, limit: 1 }), [0, ['large'], 5]);
    assert.deepEqual(await window({ position: 99 }), [99, [], 5]);
    assert.deepEqual(await window({ limit: 0 }), [0, [], 5]);
    assert.deepEqual(await window({ anchor: ids.bananas, limit: 1 }), [2, ['bananas'], 5]);
    assert.deepEqual(await window({ anchor: ids.bananas, anchorOffset: -1, limit: 2 }), [
      1,
      ['cherries', 'bananas'],
      5,
    ]);
    assert.deepEqual(await window({ anchor: ids.large, anchorOffset: -5, limit: 1 }), [0, ['large'], 5]);
    assert.deepEqual(await window({ filter: { text: 'fruits' }, anchor: ids.apples }), [1, ['apples'], 2]);
    assert.equal(
      (await query({ anchor: ids.cherries, filter: { inMailbox: inbox } })).type,
      'anchorNotFound',
    );
    assert.equal((await query({ anchor: 'e99-0' })).type, 'anchorNotFound');
  });

  test('threads collapse to their first email', async () => {
    const result = await query({ collapseThreads: true, calculateTotal: true });
    assert.deepEqual(names(result.ids), ['large', 'cherries', 'bananas', 'reply']);
    assert.equal(result.total, 4);
    const oldest = await query({
      collapseThreads: true,
      sort: [{ property: 'receivedAt' }],
      filter: { inMailbox: inbox },
    });
    assert.deepEqual(names(oldest.ids), ['apples', 'bananas', 'large']);
  });

  test('ids, threads and mailboxes flow through result references', async () => {
    const accountId = 'alice';
    const responses = await server.call('alice', [
      ['Email/query', { accountId, filter: { subject: 'apples' } }, '0'],
      [
        'Email/get',
        { accountId, '#ids': { resultOf: '0', name: 'Email/query', path: '/ids' }, properties: ['threadId'] },
        '1',
      ],
      [
        'Thread/get',
        { accountId, '#ids': { resultOf: '1', name: 'Email/get', path: '/list/*/threadId' } },
        '2',
      ],
      [
        'Email/get',
        {
          accountId,
          '#ids': { resultOf: '2', name: 'Thread/get', path: '/list/*/emailIds' },
          properties: ['subject'],
        },
        '3',
      ],
    ]);
    assert.deepEqual(
      responses[3]?.[1].list.map((email: Json) => email.subject),
      ['Apples', 'Re: Apples'],
    );
  });
});
