import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { basic, Harness, mail, TOKEN, type Json } from './jmap-harness.ts';

for (const storeKind of ['memory', 'sqlite'] as const)
  suite(`JMAP over a ${storeKind} store`, () => {
    let server: Harness;
    let inbox: string;

    before(async () => {
      server = await Harness.start(storeKind);
      await server.createUser('alice', 'alice@cellpost.test');
      await server.createUser('bob', 'bob@cellpost.test');
      inbox = await server.mailboxId('alice', 'inbox');
    });
    after(() => server[Symbol.asyncDispose]());

    test('a delivered message is queried, read and found by nobody else', async () => {
      const delivered = await server.deliver('alice', mail('First'));
      assert.equal(delivered.duplicate, false);
      const [query, get] = await server.call(
        'alice',
        [
          ['Email/query', { accountId: 'alice', filter: { inMailbox: inbox }, calculateTotal: true }, 'q'],
          [
            'Email/get',
            {
              accountId: 'alice',
              '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' },
              fetchTextBodyValues: true,
            },
            'g',
          ],
        ],
        'alice@cellpost.test',
      );
      assert.deepEqual(query?.[1].ids, [delivered.emailId]);
      assert.equal(query?.[1].total, 1);
      const email = (get?.[1].list as Json[] | undefined)?.[0];
      assert.equal(email.subject, 'First');
      assert.deepEqual(email.from, [{ name: 'Carol', email: 'carol@example.org' }]);
      assert.deepEqual(email.mailboxIds, { [inbox]: true });
      assert.equal(email.sentAt, '2026-11-23T10:00:00+01:00');
      assert.deepEqual(email.messageId, ['First@example.org']);
      assert.equal(email.bodyValues['1'].value.trim(), 'Hello there.');
      assert.equal(email.textBody[0].type, 'text/plain');
      assert.equal(email.hasAttachment, false);
      assert.equal(email.preview, 'Hello there.');
      const bobs = await server.one('bob', 'Email/get', { ids: [delivered.emailId] });
      assert.deepEqual([bobs.list, bobs.notFound], [[], [delivered.emailId]]);
    });

    test('the same delivery again changes nothing', async () => {
      const first = await server.deliver('alice', mail('Twice'), { deliveryKey: 'k1' });
      const second = await server.deliver('alice', mail('Twice'), { deliveryKey: 'k1' });
      assert.deepEqual(second, { ...first, duplicate: true });
    });

    test('a wrong password and another user’s get the same 401', async () => {
      for (const authorization of [
        basic('alice@cellpost.test', 'wrong'),
        basic('bob@cellpost.test'),
        bearer('not the token of the platform'),
        '',
      ]) {
        const response = await server.fetch('/users/alice/jmap/session', authorization);
        assert.equal(response.status, 401);
        assert.match(response.headers.get('www-authenticate') ?? '', /^Basic /);
      }
      const session = await server.fetch('/users/alice/jmap/session', bearer(TOKEN));
      assert.equal(session.status, 200);
    });
  });
