// A client that follows the changes has what the server has, whatever happens and however many change things at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Harness, mail, type Json } from './jmap-harness.ts';

const TYPES = ['Email', 'Mailbox', 'Thread'] as const;

/** A cache of the account, filled by /get and kept by /changes. */
class Follower {
  readonly #server: Harness;
  readonly #userId: string;
  readonly objects: Record<string, Map<string, Json>> = {};
  readonly #states: Record<string, string> = {};

  constructor(server: Harness, userId: string) {
    this.#server = server;
    this.#userId = userId;
  }

  #get(type: string, ids: string[] | null): Promise<Json> {
    const properties = type === 'Email' ? ['threadId', 'mailboxIds', 'keywords'] : undefined;
    return this.#server.one(this.#userId, `${type}/get`, { ids, properties });
  }

  async load(): Promise<void> {
    for (const type of TYPES) {
      const { list, state } = await this.#get(type, null);
      this.objects[type] = new Map(list.map((object: Json) => [object.id, object]));
      this.#states[type] = state;
    }
  }

  async follow(maxChanges: number): Promise<void> {
    for (const type of TYPES) {
      const known = this.objects[type] ?? new Map<string, Json>();
      for (let more = true; more;) {
        // One change of an email may change the counts of many mailboxes, which are told together.
        const args = {
          sinceState: this.#states[type],
          maxChanges: type === 'Mailbox' ? 8 * maxChanges : maxChanges,
        };
        const changes = await this.#server.one(this.#userId, `${type}/changes`, args);
        assert.equal(changes.oldState, args.sinceState, JSON.stringify(changes));
        for (const id of changes.created) assert.ok(!known.has(id), `${type} ${id} was created twice`);
        for (const id of changes.updated)
          assert.ok(known.has(id), `${type} ${id} was updated, but never created`);
        for (const id of changes.destroyed) known.delete(id);
        const { list, notFound } = await this.#get(type, [...changes.created, ...changes.updated]);
        for (const object of list) known.set(object.id, object);
        // Gone by now: a later page says so.
        for (const id of notFound) known.set(id, undefined);
        this.#states[type] = changes.newState;
        more = changes.hasMoreChanges;
      }
    }
  }
}

/** A client's copy of a query's results, kept by /queryChanges as RFC 8620 section 5.6 says. */
class QueryFollower {
  readonly #ask: (name: string, args: Json) => Promise<Json>;
  readonly #query: Json;
  ids: string[] = [];
  #state = '';

  constructor(server: Harness, userId: string, query: Json) {
    this.#ask = (name, args) => server.one(userId, name, { ...query, ...args });
    this.#query = query;
  }

  async load(): Promise<void> {
    const { ids, queryState, canCalculateChanges } = await this.#ask('Email/query', {});
    assert.equal(canCalculateChanges, true, JSON.stringify(this.#query));
    this.ids = ids;
    this.#state = queryState;
  }

  async follow(): Promise<void> {
    const changes = await this.#ask('Email/queryChanges', {
      sinceQueryState: this.#state,
      calculateTotal: true,
    });
    assert.equal(changes.oldQueryState, this.#state, JSON.stringify(changes));
    this.ids = this.ids.filter((id) => !changes.removed.includes(id));
    for (const { id, index } of changes.added) this.ids.splice(index, 0, id);
    assert.equal(this.ids.length, changes.total);
    this.#state = changes.newQueryState;
  }
}

const QUERIES: Json[] = [
  {},
  {
    filter: { notKeyword: '$seen' },
    sort: [{ property: 'subject' }, { property: 'hasKeyword', keyword: '$seen' }],
  },
  { filter: { operator: 'OR', conditions: [{ hasKeyword: '$seen' }, { text: 'S1' }] } },
];

type Op = {
  kind: 'deliver' | 'seen' | 'move' | 'destroy' | 'makeMailbox' | 'dropMailbox';
  pick: number;
  reply: boolean;
};

const op: fc.Arbitrary<Op> = fc.record({
  kind: fc.constantFrom('deliver', 'deliver', 'seen', 'move', 'destroy', 'makeMailbox', 'dropMailbox'),
  pick: fc.nat(1000),
  reply: fc.boolean(),
});

async function run(
  server: Harness,
  userId: string,
  { kind, pick, reply }: Op,
  serial: number,
): Promise<void> {
  const one = (name: string, args: Json): Promise<Json> => server.one(userId, name, args);
  if (kind === 'deliver') {
    const more = reply ? `References: <S${pick % 3}@example.org>\n` : '';
    const result = await server.deliver(userId, mail(`S${pick % 3}`, `Body ${serial}`, more));
    assert.ok(result.emailId, JSON.stringify(result));
    return;
  }
  const { ids } = await one('Email/query', {});
  const { list } = await one('Mailbox/get', { properties: ['role'] });
  const mailboxId = list[pick % list.length].id;
  const emailId = ids[pick % Math.max(1, ids.length)];
  if (kind === 'makeMailbox') await one('Mailbox/set', { create: { a: { name: `Box ${serial}` } } });
  else if (kind === 'dropMailbox')
    await one('Mailbox/set', { destroy: [mailboxId], onDestroyRemoveEmails: true });
  else if (emailId === undefined) return;
  else if (kind === 'seen')
    await one('Email/set', { update: { [emailId]: { 'keywords/$seen': reply || null } } });
  else if (kind === 'move')
    await one('Email/set', { update: { [emailId]: { mailboxIds: { [mailboxId]: true } } } });
  else await one('Email/set', { destroy: [emailId] });
}

test('a client that follows the changes, page by page, ends with what the server has', async () => {
  await using server = await Harness.start();
  let users = 0;
  let serial = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(op, { minLength: 1, maxLength: 6 }), { maxLength: 6 }),
      fc.integer({ min: 1, max: 4 }),
      async (batches, maxChanges) => {
        const userId = `u${++users}`;
        await server.createUser(userId, `${userId}@cellpost.test`);
        const follower = new Follower(server, userId);
        await follower.load();
        const queries = QUERIES.map((query) => new QueryFollower(server, userId, query));
        for (const query of queries) await query.load();
        for (const batch of batches) {
          await Promise.all(batch.map((each) => run(server, userId, each, ++serial)));
          await follower.follow(maxChanges);
          for (const query of queries) await query.follow();
        }
        for (const [index, query] of QUERIES.entries())
          assert.deepEqual(queries[index]?.ids, (await server.one(userId, 'Email/query', query)).ids);
        const fresh = new Follower(server, userId);
        await fresh.load();
        for (const type of TYPES) {
          const sorted = (from: Follower): Json[] =>
            [...(from.objects[type] ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
          assert.deepEqual(sorted(follower), sorted(fresh), type);
        }
      },
    ),
    { numRuns: 25 },
  );
});
