// Emails, mailboxes and threads through JMAP, over each store that runs anywhere.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { basic, Harness, mail, type Json } from './jmap-harness.ts';

const MIXED = `From: "Carol =?UTF-8?Q?M=C3=BCller?=" <carol@example.org>
To: Friends: alice@cellpost.test, Bob <bob@cellpost.test>;
Cc: dave@example.org
Subject: =?UTF-8?B?UGzDpG5l?=
Date: Mon, 23 Nov 2026 10:00:00 +0100
Message-ID: <mixed@example.org>
List-Post: <mailto:list@example.org>
X-Count: one
X-Count: two
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/alternative; boundary=inner

--inner
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Gr=FC=DFe aus K=F6ln
--inner
Content-Type: text/html; charset=utf-8

<p>Gr\u00fc\u00dfe aus <b>K\u00f6ln</b></p>
--inner--
--outer
Content-Type: application/pdf; name="plan.pdf"
Content-Disposition: attachment; filename="plan.pdf"
Content-Transfer-Encoding: base64

JVBERi0xLjcK
--outer--
`;

for (const storeKind of ['memory', 'sqlite'] as const)
  suite(`emails over a ${storeKind} store`, () => {
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
    const get = async (id: string, args: Json = {}): Promise<Json> =>
      (await call('Email/get', { ids: [id], ...args })).list[0];

    test('a multipart message shows its structure, texts, attachments and headers', async () => {
      const { emailId } = await server.deliver('alice', MIXED, { receivedAt: '2026-11-23T09:00:01Z' });
      const email = await get(emailId, {
        fetchAllBodyValues: true,
        properties: [
          'blobId',
          'size',
          'receivedAt',
          'subject',
          'from',
          'to',
          'hasAttachment',
          'preview',
          'bodyValues',
          'textBody',
          'htmlBody',
          'attachments',
          'bodyStructure',
          'headers',
          'header:List-Post:asURLs',
          'header:X-Count',
          'header:x-count:all',
          'header:To:asGroupedAddresses',
          'header:X-None:asText',
          'header:Date:asDate',
        ],
        bodyProperties: ['partId', 'blobId', 'type', 'size', 'name', 'disposition', 'header:Content-Type'],
      });
      assert.equal(email.subject, 'Pl\u00e4ne');
      assert.equal(email.receivedAt, '2026-11-23T09:00:01Z');
      assert.deepEqual(email.from, [{ name: 'Carol M\u00fcller', email: 'carol@example.org' }]);
      assert.deepEqual(
        email.to.map((address: Json) => address.email),
        ['alice@cellpost.test', 'bob@cellpost.test'],
      );
      assert.equal(email['header:To:asGroupedAddresses'][0].name, 'Friends');
      assert.deepEqual(email['header:List-Post:asURLs'], ['mailto:list@example.org']);
      assert.equal(email['header:X-Count'], ' two');
      assert.deepEqual(email['header:x-count:all'], [' one', ' two']);
      assert.equal(email['header:X-None:asText'], null);
      assert.equal(email['header:Date:asDate'], '2026-11-23T10:00:00+01:00');
      assert.equal(email.headers.length, 11);
      assert.equal(email.hasAttachment, true);
      assert.equal(email.size, Buffer.byteLength(MIXED.replaceAll('\n', '\r\n')));
      const [text, html, file] = [email.textBody[0], email.htmlBody[0], email.attachments[0]];
      assert.equal(email.bodyValues[text.partId].value, 'Gr\u00fc\u00dfe aus K\u00f6ln');
      assert.equal(email.bodyValues[text.partId].isEncodingProblem, false);
      assert.match(email.bodyValues[html.partId].value, /<b>K\u00f6ln<\/b>/);
      assert.equal(Object.keys(email.bodyValues).length, 2);
      assert.deepEqual([file.name, file.disposition, file.size], ['plan.pdf', 'attachment', 9]);
      assert.equal(file['header:Content-Type'], ' application/pdf; name="plan.pdf"');
      assert.equal(email.bodyStructure.type, 'multipart/mixed');
      assert.equal(email.bodyStructure.partId, null);
      assert.deepEqual(
        email.bodyStructure.subParts.map((part: Json) => part.type),
        ['multipart/alternative', 'application/pdf'],
      );
      const path = `/users/alice/jmap/download/alice/${file.blobId}/plan%20%22x%22.pdf?type=application/pdf`;
      const download = await server.fetch(path, basic('alice@cellpost.test'));
      assert.equal(await download.text(), '%PDF-1.7\n');
      assert.equal(download.headers.get('content-type'), 'application/pdf');
      assert.equal(
        download.headers.get('content-disposition'),
        `attachment; filename*=UTF-8''plan%20%22x%22.pdf`,
      );
      assert.equal(download.headers.get('x-content-type-options'), 'nosniff');
      assert.match(download.headers.get('cache-control') ?? '', /^private, immutable/);
      const whole = await server.fetch(
        `/users/alice/jmap/download/alice/${email.blobId}/m.eml`,
        basic('alice@cellpost.test'),
      );
      assert.equal(await whole.text(), MIXED.replaceAll('\n', '\r\n'));
    });

    test('texts are cut at maxBodyValueBytes, never inside a character', async () => {
      const { emailId } = await server.deliver('alice', MIXED.replace('<mixed@', '<cut@'));
      const { bodyValues } = await get(emailId, { fetchTextBodyValues: true, maxBodyValueBytes: 3 });
      assert.deepEqual(Object.values(bodyValues), [
        { value: 'Gr', isEncodingProblem: false, isTruncated: true },
      ]);
    });

    test('a message whose bytes are a blob reads like any other', async () => {
      const bytes = Buffer.from(mail('Large', 'x'.repeat(100_000)).replaceAll('\n', '\r\n'));
      const upload = await server.fetch('/users/alice/jmap/upload/alice', basic('alice@cellpost.test'), {
        method: 'POST',
        body: bytes,
      });
      const { blobId, size } = (await upload.json()) as { blobId: string; size: number };
      assert.deepEqual([upload.status, size], [201, bytes.length]);
      const sha256 = blobId.split('_')[1] ?? '';
      const { emailId } = await server.deliver('alice', mail('Large', 'x'.repeat(100_000)), {
        blobId: sha256,
      });
      const email = await get(emailId, {
        fetchTextBodyValues: true,
        properties: ['bodyValues', 'header:From:asAddresses'],
      });
      assert.equal(email.bodyValues['1'].value.trim().length, 100_000);
      assert.equal(email['header:From:asAddresses'][0].name, 'Carol');
    });

    test('a message nested as deep as the parser goes is delivered, and its innermost part is a blob', async () => {
      let text = 'Content-Type: text/plain\n\ninnermost';
      for (let n = 60; n > 0; n--)
        text = `Content-Type: multipart/mixed; boundary=b${n}x\n\n--b${n}x\n${text}\n--b${n}x--`;
      const { emailId } = await server.deliver('alice', `Subject: Deep\n${text}\n`);
      const { textBody, attachments } = await get(emailId);
      const part = textBody[0] ?? attachments[0];
      const path = `/users/alice/jmap/download/alice/${part.blobId}/deep.txt`;
      const download = await server.fetch(path, basic('alice@cellpost.test'));
      assert.match(await download.text(), /innermost/);
    });

    test('without properties come those that RFC 8621 section 4.2 says', async () => {
      const { emailId } = await server.deliver('alice', mail('Defaults'));
      const email = await get(emailId);
      assert.deepEqual(
        Object.keys(email).sort(),
        [
          'id',
          'blobId',
          'threadId',
          'mailboxIds',
          'keywords',
          'size',
          'receivedAt',
          'messageId',
          'inReplyTo',
          'references',
          'sender',
          'from',
          'to',
          'cc',
          'bcc',
          'replyTo',
          'subject',
          'sentAt',
          'hasAttachment',
          'preview',
          'bodyValues',
          'textBody',
          'htmlBody',
          'attachments',
        ].sort(),
      );
      assert.deepEqual(email.bodyValues, {});
      assert.deepEqual(
        Object.keys(email.textBody[0]).sort(),
        [
          'partId',
          'blobId',
          'size',
          'name',
          'type',
          'charset',
          'disposition',
          'cid',
          'language',
          'location',
        ].sort(),
      );
      assert.deepEqual([email.keywords, email.cc, email.inReplyTo], [{}, null, null]);
    });

    test('keywords and mailboxes are set whole or by patch, and the counts follow', async () => {
      const { emailId } = await server.deliver('alice', mail('Patched'));
      const inbox = async (): Promise<Json> => (await call('Mailbox/get', { ids: [boxes.Inbox] })).list[0];
      const before = await inbox();
      const { emailId: id } = { emailId };
      const seen = await call('Email/set', {
        update: { [id]: { 'keywords/$Seen': true, 'keywords/work': true } },
      });
      assert.deepEqual(seen.updated, { [id]: null });
      assert.notEqual(seen.newState, seen.oldState);
      assert.deepEqual((await get(id)).keywords, { $seen: true, work: true });
      assert.equal((await inbox()).unreadEmails, before.unreadEmails - 1);
      const moved = await call('Email/set', {
        ifInState: seen.newState,
        update: {
          [id]: {
            keywords: { $flagged: true },
            [`mailboxIds/${boxes.Inbox}`]: null,
            [`mailboxIds/${boxes.Archive}`]: true,
          },
        },
      });
      assert.equal(moved.oldState, seen.newState);
      const email = await get(id);
      assert.deepEqual(
        [email.keywords, email.mailboxIds],
        [{ $flagged: true }, { [boxes.Archive ?? '']: true }],
      );
      const whole = await call('Email/set', {
        update: { [id]: { ...email, mailboxIds: { [boxes.Inbox ?? '']: true } } },
      });
      assert.equal(whole.notUpdated?.[id].type, 'invalidProperties');
      assert.ok(!whole.notUpdated[id].properties.includes('id'));
      const same = await call('Email/set', { update: { [id]: { keywords: { $flagged: true } } } });
      assert.deepEqual([same.newState, same.updated], [same.oldState, { [id]: null }]);
    });

    test('what can’t be set is refused one by one', async () => {
      const { emailId: id } = await server.deliver('alice', mail('Refused'));
      const { emailId: gone } = await server.deliver('alice', mail('Gone'));
      const result = await call('Email/set', {
        create: { new: { subject: 'x' } },
        update: {
          [id]: { 'keywords/a b': true },
          'e99-0': { 'keywords/a': true },
          nonsense: {},
          [gone]: { 'keywords/$seen': true },
        },
        destroy: [gone, 'e98-0'],
      });
      assert.equal(result.notCreated.new.type, 'forbidden');
      assert.deepEqual(result.notUpdated[id].properties, ['keywords/a b']);
      assert.deepEqual(result.notUpdated['e99-0'], { type: 'notFound' });
      assert.deepEqual(result.notUpdated.nonsense, { type: 'notFound' });
      assert.deepEqual(result.notUpdated[gone], { type: 'willDestroy' });
      assert.deepEqual(result.destroyed, [gone]);
      assert.deepEqual(result.notDestroyed, { 'e98-0': { type: 'notFound' } });
      for (const patch of [
        { mailboxIds: {} },
        { [`mailboxIds/${boxes.Inbox}`]: null },
        { 'mailboxIds/m99-0': true },
        { keywords: { a: false } },
        { keywords: ['a'] },
        { 'keywords/a': 1 },
        { subject: 'x' },
      ]) {
        const { notUpdated } = await call('Email/set', { update: { [id]: patch } });
        assert.equal(notUpdated[id].type, 'invalidProperties', JSON.stringify(patch));
      }
      const both = await call('Email/set', { update: { [id]: { keywords: {}, 'keywords/a': true } } });
      assert.equal(both.notUpdated[id].type, 'invalidPatch');
      const mismatch = await call('Email/set', { ifInState: 's1-0', destroy: [id] });
      assert.equal(mismatch.type, 'stateMismatch');
    });

    test('Email/changes and Thread/changes tell what was created, updated and destroyed', async () => {
      const emails0 = (await call('Email/get', { ids: [] })).state;
      const threads0 = (await call('Thread/get', { ids: [] })).state;
      const { emailId: a } = await server.deliver('alice', mail('Change A'));
      const { emailId: b } = await server.deliver('alice', mail('Change B'));
      const { emailId: c } = await server.deliver('alice', mail('Change C'));
      const middle = (await call('Email/get', { ids: [] })).state;
      await call('Email/set', { update: { [a]: { 'keywords/$seen': true } }, destroy: [c] });
      const all = await call('Email/changes', { sinceState: emails0 });
      assert.deepEqual(
        [all.created, all.updated, all.destroyed, all.hasMoreChanges],
        [[a, b], [], [], false],
      );
      const later = await call('Email/changes', { sinceState: middle });
      assert.deepEqual([later.created, later.updated, later.destroyed], [[], [a], [c]]);
      assert.equal(later.newState, (await call('Email/get', { ids: [] })).state);
      const none = await call('Email/changes', { sinceState: later.newState });
      assert.deepEqual(
        [none.created, none.updated, none.destroyed, none.newState],
        [[], [], [], later.newState],
      );
      const threads = await call('Thread/changes', { sinceState: threads0 });
      assert.deepEqual([threads.created.length, threads.updated, threads.destroyed], [2, [], []]);
    });

    test('changes come in pages of maxChanges', async () => {
      let state = (await call('Email/get', { ids: [] })).state;
      const ids: string[] = [];
      for (let n = 0; n < 5; n++) ids.push((await server.deliver('alice', mail(`Page ${n}`))).emailId);
      await call('Email/set', { destroy: [ids[0]] });
      const seen: string[] = [];
      const destroyed: string[] = [];
      for (let pages = 0; pages < 10; pages++) {
        const page = await call('Email/changes', { sinceState: state, maxChanges: 2 });
        assert.ok(page.created.length + page.updated.length + page.destroyed.length <= 2);
        seen.push(...page.created);
        destroyed.push(...page.destroyed);
        state = page.newState;
        if (!page.hasMoreChanges) break;
      }
      assert.deepEqual(seen, ids);
      assert.deepEqual(destroyed, [ids[0]]);
    });

    test('replies are one thread, other subjects are not, and Thread/get lists the oldest first', async () => {
      const first = await server.deliver('alice', mail('Lunch'), { receivedAt: '2026-11-23T08:00:00Z' });
      const reply = await server.deliver(
        'alice',
        mail('Re: Lunch', 'Yes.', 'In-Reply-To: <Lunch@example.org>\n'),
        {
          receivedAt: '2026-11-23T07:00:00Z',
        },
      );
      const other = await server.deliver('alice', mail('Dinner', 'No.', 'References: <Lunch@example.org>\n'));
      const [a, b, c] = await Promise.all([first, reply, other].map(async ({ emailId }) => get(emailId)));
      assert.equal(a.threadId, b.threadId);
      assert.notEqual(a.threadId, c.threadId);
      const { list } = await call('Thread/get', { ids: [a.threadId] });
      assert.deepEqual(list, [{ id: a.threadId, emailIds: [reply.emailId, first.emailId] }]);
    });
  });

test('after a restart everything is as it was', async () => {
  await using server = await Harness.start('sqlite');
  await server.createUser('alice', 'alice@cellpost.test');
  const { emailId } = await server.deliver('alice', mail('Kept'), { deliveryKey: 'kept' });
  await server.one('alice', 'Email/set', { update: { [emailId]: { 'keywords/$flagged': true } } });
  const all = async (): Promise<Json> =>
    server.call(
      'alice',
      [
        ['Mailbox/get', { accountId: 'alice' }, 'm'],
        ['Email/get', { accountId: 'alice', ids: null }, 'e'],
        ['Thread/get', { accountId: 'alice', ids: null }, 't'],
      ],
      'alice@cellpost.test',
    );
  const before = await all();
  await server.stop();
  await server.open();
  assert.deepEqual(await all(), before);
  const again = await server.deliver('alice', mail('Kept'), { deliveryKey: 'kept' });
  assert.deepEqual([again.emailId, again.duplicate], [emailId, true]);
});
