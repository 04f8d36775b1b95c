// Mailboxes through JMAP, over each store that runs anywhere.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Harness, mail, type Json } from './jmap-harness.ts';

for (const storeKind of ['memory', 'sqlite'] as const)
  suite(`mailboxes over a ${storeKind} store`, () => {
    let server: Harness;
    const boxes: Record<string, string> = {};

    before(async () => {
      server = await Harness.start(storeKind);
      await server.createUser('alice', 'alice@cellpost.test');
      const { list } = await server.one('alice', 'Mailbox/get', {});
      for (const { id, name } of list) boxes[name] = id;
    });
    after(() => server[Symbol.asyncDispose]());

    const call = (name: string, args: Json): Promise<Json> => server.one('alice', name, args);

    test('mailboxes are made, changed and destroyed, with what lies in them only if asked for', async () => {
      const state = (await call('Mailbox/get', { ids: [] })).state;
      const [made, moved] = await server.call('alice', [
        [
          'Mailbox/set',
          {
            accountId: 'alice',
            create: {
              p: { name: 'Projects' },
              c: { name: 'Cellpost', parentId: '#p', sortOrder: 3, role: null },
            },
          },
          'a',
        ],
        [
          'Email/set',
          {
            accountId: 'alice',
            update: { [(await server.deliver('alice', mail('Filed'))).emailId]: { 'mailboxIds/#c': true } },
          },
          'b',
        ],
      ]);
      const { p, c } = made ? made[1].created : {};
      assert.ok(p.id && c.id);
      assert.ok(moved?.[1].updated);
      const { list } = await call('Mailbox/get', { ids: [c.id] });
      assert.deepEqual(
        [list[0].name, list[0].parentId, list[0].sortOrder, list[0].totalEmails, list[0].myRights.mayDelete],
        ['Cellpost', p.id, 3, 1, true],
      );
      const changes = await call('Mailbox/changes', { sinceState: state });
      assert.deepEqual(changes.created.toSorted(), [p.id, c.id].toSorted());
      assert.equal(changes.updatedProperties, changes.updated.length > 0 ? changes.updatedProperties : null);
      const refused = await call('Mailbox/set', {
        create: {
          d: { name: 'Projects' },
          e: { name: '' },
          f: { name: 'x', role: 'inbox' },
          g: {},
          h: { name: 'y', parentId: 'm99-0' },
        },
        update: {
          [p.id]: { parentId: c.id },
          'm99-9': { name: 'z' },
          [c.id]: { totalEmails: 7 },
          [boxes.Inbox ?? '']: { role: null },
        },
        destroy: [p.id, c.id, boxes.Inbox, 'm97-0'],
      });
      assert.deepEqual(
        Object.values(refused.notCreated).map(({ type, properties }: Json) => [type, properties[0]]),
        [
          ['invalidProperties', 'name'],
          ['invalidProperties', 'name'],
          ['invalidProperties', 'role'],
          ['invalidProperties', 'name'],
          ['invalidProperties', 'parentId'],
        ],
      );
      assert.equal(refused.notCreated.d.existingId, p.id);
      assert.equal(refused.notUpdated[p.id].properties[0], 'parentId');
      assert.equal(refused.notUpdated['m99-9'].type, 'notFound');
      assert.deepEqual(refused.notUpdated[c.id].properties, ['totalEmails']);
      assert.equal(refused.notUpdated[boxes.Inbox ?? ''].properties[0], 'role');
      assert.equal(refused.notDestroyed[p.id].type, 'mailboxHasChild');
      assert.equal(refused.notDestroyed[c.id].type, 'mailboxHasEmail');
      assert.equal(refused.notDestroyed[boxes.Inbox ?? ''].type, 'forbidden');
      const before = (await call('Mailbox/get', { ids: [] })).state;
      const gone = await call('Mailbox/set', {
        update: { [p.id]: { name: 'Plans', isSubscribed: false } },
        destroy: [c.id],
        onDestroyRemoveEmails: true,
      });
      assert.deepEqual([gone.updated, gone.destroyed], [{ [p.id]: null }, [c.id]]);
      const after = await call('Mailbox/changes', { sinceState: before });
      assert.deepEqual(
        [after.destroyed, after.updated.includes(p.id), after.updatedProperties],
        [[c.id], true, null],
      );
    });

    test('parents are made before their children and destroyed after them, in whatever order they are named', async () => {
      const { created, notCreated } = await call('Mailbox/set', {
        create: {
          c: { name: 'C', parentId: '#b' },
          b: { name: 'B', parentId: '#a' },
          a: { name: 'A' },
          x: { name: 'X', parentId: '#y' },
          y: { name: 'Y', parentId: '#x' },
        },
      });
      const ids = [created.a.id, created.b.id, created.c.id];
      assert.deepEqual(Object.keys(notCreated).sort(), ['x', 'y']);
      assert.deepEqual(Object.keys(created.c).sort(), [
        'id',
        'isSubscribed',
        'myRights',
        'parentId',
        'role',
        'sortOrder',
        'totalEmails',
        'totalThreads',
        'unreadEmails',
        'unreadThreads',
      ]);
      assert.equal(created.c.parentId, ids[1]);
      const { destroyed } = await call('Mailbox/set', { destroy: [...ids, ids[0]] });
      assert.deepEqual(destroyed, ids.toReversed());
    });

    test('Mailbox/changes says when only counts changed', async () => {
      const { state } = await call('Mailbox/get', { ids: [] });
      await server.deliver('alice', mail('Counts'));
      const changes = await call('Mailbox/changes', { sinceState: state });
      assert.deepEqual(changes.updated, [boxes.Inbox]);
      assert.deepEqual(changes.updatedProperties, [
        'totalEmails',
        'unreadEmails',
        'totalThreads',
        'unreadThreads',
      ]);
    });

    test('Mailbox/query filters and sorts', async () => {
      const ids = async (args: Json): Promise<string[]> => (await call('Mailbox/query', args)).ids;
      assert.deepEqual(await ids({ filter: { role: 'inbox' } }), [boxes.Inbox]);
      assert.deepEqual(await ids({ filter: { name: 'rash' } }), [boxes.Trash]);
      assert.equal((await ids({ filter: { hasAnyRole: true } })).length, 6);
      const byName = await ids({
        filter: { parentId: null },
        sort: [{ property: 'name', isAscending: false }],
        limit: 1,
      });
      assert.deepEqual(byName, [boxes.Trash]);
      const not = await ids({
        filter: { operator: 'NOT', conditions: [{ hasAnyRole: true }, { name: 'plans' }] },
      });
      assert.deepEqual(not, [boxes.Other]);
    });
  });
