// The event stream (RFC 8620 section 7.3), and what is told to a client whose user went to another server.
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { OwnershipGate } from '../../workloads/app-server/log/user-log-types.ts';
import { LeaseLost, Misdirected } from '../../workloads/app-server/log/user-log-errors.ts';
import { soleOwner } from '../../workloads/app-server/ring/sole-owner.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { basic, Harness, mail, TOKEN, type Json } from './jmap-harness.ts';

const ALICE = basic('alice@cellpost.test');
const EVENT_DEADLINE_MS = 10_000;

type Event = { event: string; id: string | undefined; data: Json };

/** The events of a stream; ends with it. */
async function* events(response: Response): AsyncGenerator<Event> {
  let text = '';
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString();
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const fields = new Map(
        text
          .slice(0, end)
          .split('\n')
          .map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]),
      );
      text = text.slice(end + 2);
      // Without data it is no event; it may have told the id to come back with.
      if (!fields.has('data')) continue;
      yield {
        event: fields.get('event') ?? '',
        id: fields.get('id'),
        data: JSON.parse(fields.get('data') ?? 'null'),
      };
    }
  }
}

suite('the event stream', () => {
  let server: Harness;
  /** What the gate throws, when it is to refuse. */
  let refusal: Error | undefined;
  const gate: OwnershipGate = {
    ...soleOwner('a-0', 'push'),
    assertOwner() {
      if (refusal) throw refusal;
    },
  };

  before(async () => {
    server = await Harness.start('memory', gate);
    await server.createUser('alice', 'alice@cellpost.test');
    await server.createUser('bob', 'bob@cellpost.test');
  });
  after(() => server[Symbol.asyncDispose]());

  async function open(query: string, headers: Record<string, string> = {}): Promise<AsyncGenerator<Event>> {
    const response = await server.fetch(`/users/alice/jmap/eventsource?${query}`, ALICE, {
      headers,
      signal: AbortSignal.timeout(EVENT_DEADLINE_MS),
    });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/event-stream');
    return events(response);
  }

  async function next(stream: AsyncGenerator<Event>): Promise<Event> {
    const { value } = await stream.next();
    assert.ok(value, 'the stream has ended');
    return value as Event;
  }

  const emailState = async (): Promise<string> => (await server.one('alice', 'Email/get', { ids: [] })).state;

  test('a delivery is told at once with the states that changed', async () => {
    const stream = await open('types=*&closeafter=no&ping=0');
    await server.deliver('bob', mail('Not for alice'));
    await server.deliver('alice', mail('Hello'));
    const { event, data } = await next(stream);
    assert.equal(event, 'state');
    assert.equal(data['@type'], 'StateChange');
    assert.deepEqual(Object.keys(data.changed), ['alice']);
    assert.deepEqual(Object.keys(data.changed.alice).sort(), [
      'Counts',
      'Email',
      'EmailDelivery',
      'Mailbox',
      'Thread',
    ]);
    assert.equal(data.changed.alice.Email, await emailState());
    await stream.return(undefined);
  });

  test('only the types asked for are told, and only when they changed', async () => {
    const stream = await open('types=Thread,EmailDelivery&closeafter=no&ping=0');
    const { emailId } = await server.deliver('alice', mail('One'));
    const first = await next(stream);
    assert.deepEqual(Object.keys(first.data.changed.alice).sort(), ['EmailDelivery', 'Thread']);
    await server.one('alice', 'Email/set', { update: { [emailId]: { 'keywords/$seen': true } } });
    await server.one('alice', 'Email/set', { destroy: [emailId] });
    const second = await next(stream);
    assert.deepEqual(Object.keys(second.data.changed.alice), ['Thread']);
    await stream.return(undefined);
  });

  test('what comes from a muted sender, or into a muted thread, changes all but EmailDelivery', async () => {
    const mute = async (patch: Json): Promise<void> => {
      const using = ['urn:ietf:params:jmap:core', 'urn:cellpost:privacy'];
      const args = { accountId: 'alice', update: { singleton: patch } };
      const [answer] = await server.call('alice', [['PrivacySettings/set', args, '0']], undefined, using);
      assert.deepEqual(answer?.[1].updated, { singleton: null });
    };
    const told = async (text: string): Promise<{ types: string[]; threadId: string }> => {
      const stream = await open('types=Email,EmailDelivery,Thread&closeafter=state&ping=0');
      const { emailId } = await server.deliver('alice', text);
      const { data } = await next(stream);
      const { list } = await server.one('alice', 'Email/get', { ids: [emailId], properties: ['threadId'] });
      return { types: Object.keys(data.changed.alice).sort(), threadId: list[0].threadId };
    };
    const announced = ['Email', 'EmailDelivery', 'Thread'];
    const first = await told(mail('Begins a thread'));
    assert.deepEqual(first.types, announced);
    await mute({ mutedSenders: ['Carol@example.org'] });
    assert.deepEqual((await told(mail('From whom I do not want to hear'))).types, ['Email', 'Thread']);
    await mute({ mutedSenders: [], mutedThreads: [first.threadId] });
    const reply = mail('Re: Begins a thread', 'More', 'References: <Beginsathread@example.org>\n');
    const second = await told(reply);
    assert.equal(second.threadId, first.threadId);
    assert.deepEqual(second.types, ['Email', 'Thread']);
    assert.deepEqual((await told(mail('Another thread'))).types, announced);
  });

  test('settings that change are told, each as a type of its own', async () => {
    for (const [type, capability, patch] of [
      ['PrivacySettings', 'urn:cellpost:privacy', { reach: 'friends' }],
      ['FilingSettings', 'urn:cellpost:filing', { 'senders/dan@example.org': 'junk' }],
    ] as const) {
      const stream = await open('types=*&closeafter=state&ping=0');
      const args = { accountId: 'alice', update: { singleton: patch } };
      const using = ['urn:ietf:params:jmap:core', capability];
      const [answer] = await server.call('alice', [[`${type}/set`, args, '0']], undefined, using);
      assert.deepEqual((await next(stream)).data.changed.alice, { [type]: answer?.[1].newState });
    }
    const using = ['urn:ietf:params:jmap:core', 'urn:cellpost:privacy'];
    const args = { accountId: 'alice', update: { singleton: { reach: 'everyone' } } };
    await server.call('alice', [['PrivacySettings/set', args, '0']], undefined, using);
  });

  test('closeafter=state ends the stream after the first change', async () => {
    const stream = await open('types=Email&closeafter=state&ping=0');
    await server.deliver('alice', mail('Last'));
    assert.equal((await next(stream)).event, 'state');
    assert.equal((await stream.next()).done, true);
  });

  test('a client that comes back hears of what it missed', async () => {
    const stream = await open('types=*&closeafter=state&ping=0');
    await server.deliver('alice', mail('Seen'));
    const { id } = await next(stream);
    await stream.return(undefined);
    await server.deliver('alice', mail('Missed'));
    const again = await open('types=*&closeafter=state&ping=0', { 'last-event-id': id ?? '' });
    const { data } = await next(again);
    assert.equal(data.changed.alice.Email, await emailState());
  });

  test('pings come in the interval that was asked for', async () => {
    const stream = await open('types=Email&closeafter=no&ping=1');
    assert.deepEqual(await next(stream), { event: 'ping', id: undefined, data: { interval: 1 } });
    await stream.return(undefined);
  });

  test('when the user goes to another server the stream ends, and requests are sent there', async () => {
    const stream = await open('types=Email&closeafter=no&ping=0');
    const owner = {
      name: 'a-1',
      url: 'http://127.0.0.1:1',
      state: 'serving',
      tokens: 1,
      session: '2',
      version: '',
      pid: 1,
    } as const;
    refusal = new Misdirected('user:alice', owner, 7, 25);
    try {
      assert.deepEqual((await next(stream)).data, { reason: 'moved' });
      assert.equal((await stream.next()).done, true);
      for (const path of [
        '/users/alice/jmap/session',
        '/users/alice/jmap/eventsource',
        '/addresses/x@y.test',
      ])
        for (const authorization of path.startsWith('/users') ? [ALICE, bearer(TOKEN)] : [bearer(TOKEN)]) {
          const response = await server.fetch(path, authorization);
          const { detail: _detail, ...problem } = (await response.json()) as Json;
          assert.deepEqual(
            [response.status, problem],
            [
              421,
              {
                type: 'urn:cellpost:error:misdirected',
                status: 421,
                owner: { name: 'a-1', url: owner.url },
                ringVersion: 7,
                retryAfterMs: 25,
              },
            ],
          );
        }
      await assert.rejects(server.deliver('alice', mail('Elsewhere')), /^Error: 421/);
      refusal = new LeaseLost('no lease');
      const response = await server.fetch('/users/alice/jmap/session', ALICE);
      assert.deepEqual([response.status, response.headers.get('retry-after')], [503, '1']);
      assert.equal(((await response.json()) as Json).type, 'urn:cellpost:error:unavailable');
    } finally {
      refusal = undefined;
    }
    assert.equal((await server.deliver('alice', mail('Here again'))).duplicate, false);
  });
});
