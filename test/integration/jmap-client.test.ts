// A JMAP client that others wrote (jmap-jam) reads and changes a mailbox.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { Harness, mail, TOKEN, type Json } from './jmap-harness.ts';

suite('jmap-jam', () => {
  let server: Harness;
  let jam: Json;
  const accountId = 'alice';

  before(async () => {
    server = await Harness.start();
    await server.createUser('alice', 'alice@cellpost.test');
    await server.deliver('alice', mail('First'));
    await server.deliver('alice', mail('Second', 'With a word to find.'));
    // Not a plain import: the package's types are sources that this project's compiler settings refuse.
    const { JamClient } = (await import(import.meta.resolve('jmap-jam'))) as Json;
    jam = new JamClient({ sessionUrl: `${server.url}/users/alice/jmap/session`, bearerToken: TOKEN });
  });
  after(() => server[Symbol.asyncDispose]());

  test('finds its account and the mailboxes', async () => {
    assert.equal(await jam.getPrimaryAccount(), accountId);
    const [mailboxes] = await jam.api.Mailbox.get({ accountId });
    assert.deepEqual(
      mailboxes.list.map(({ name }: Json) => name),
      ['Inbox', 'Archive', 'Drafts', 'Sent', 'Junk', 'Trash', 'Other'],
    );
  });

  test('queries, gets and threads in one request', async () => {
    const [{ emails, threads }] = await jam.requestMany((draft: Json) => {
      const query = draft.Email.query({ accountId, filter: { text: 'word' }, limit: 10 });
      const found = draft.Email.get({ accountId, ids: query.$ref('/ids'), fetchTextBodyValues: true });
      return {
        query,
        emails: found,
        threads: draft.Thread.get({ accountId, ids: found.$ref('/list/*/threadId') }),
      };
    });
    assert.deepEqual(
      emails.list.map(({ subject }: Json) => subject),
      ['Second'],
    );
    assert.deepEqual(threads.list[0]?.emailIds, [emails.list[0]?.id]);
  });

  test('changes an email and hears what changed', async () => {
    const [{ ids }] = await jam.api.Email.query({ accountId, filter: { subject: 'first' } });
    const id = ids[0] ?? '';
    const [before] = await jam.api.Email.get({ accountId, ids: [id], properties: ['keywords'] });
    await jam.api.Email.set({ accountId, update: { [id]: { 'keywords/$seen': true } } });
    const [changes] = await jam.api.Email.changes({ accountId, sinceState: before.state });
    assert.deepEqual([changes.created, changes.updated, changes.destroyed], [[], [id], []]);
  });

  test('uploads and downloads a blob', async () => {
    const { blobId, size } = await jam.uploadBlob(accountId, 'Some bytes.');
    assert.equal(size, 11);
    const response = await jam.downloadBlob({
      accountId,
      blobId,
      mimeType: 'text/plain',
      fileName: 'a b.txt',
    });
    assert.equal(await response.text(), 'Some bytes.');
  });
});
