// The change feed of an app server: live, resumed, and after an absence.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { changedKeys, feedLine, type FeedLine } from '../../workloads/common/changes/feed-lines.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { until } from '../support/wait.ts';
import { Harness, mail, TOKEN } from './jmap-harness.ts';

type Line<T extends FeedLine['type']> = Extract<FeedLine, { type: T }>;

describe('the change feed', () => {
  let harness: Harness;
  const open: AbortController[] = [];
  before(async () => {
    harness = await Harness.start('sqlite');
    for (const name of ['alice', 'bob']) await harness.createUser(name, `${name}@cellpost.test`);
  });
  after(async () => {
    for (const ending of open) ending.abort();
    await harness[Symbol.asyncDispose]();
  });

  async function follow(query: string): Promise<{ lines: FeedLine[]; stop: () => void }> {
    const ending = new AbortController();
    open.push(ending);
    const response = await harness.fetch(`/changes?${query}`, bearer(TOKEN), { signal: ending.signal });
    assert.equal(response.status, 200);
    const lines: FeedLine[] = [];
    void read(response, lines).catch(() => undefined);
    await until(() => lines.length > 0, { timeoutMs: 20_000, what: 'the first line' });
    return { lines, stop: () => ending.abort() };
  }

  async function read(response: Response, lines: FeedLine[]): Promise<void> {
    let rest = '';
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts.map((line) => feedLine.parse(JSON.parse(line))));
    }
  }

  const changes = (lines: FeedLine[]): Line<'change'>[] => lines.filter((line) => line.type === 'change');
  const befriend = (userId: string, friend: string): Promise<unknown> =>
    harness.call(
      userId,
      [['Friend/set', { accountId: userId, create: { a: { userId: friend } } }, '0']],
      undefined,
      ['urn:ietf:params:jmap:core', 'urn:cellpost:friends'],
    );

  test('is for services of the platform only', async () => {
    for (const path of ['/changes', '/changes/keys', '/users/alice/friends'])
      assert.equal((await harness.fetch(path, bearer('another token'))).status, 401, path);
  });

  test('tells each change with its kinds, in order, and only the kinds that were asked for', async () => {
    const all = await follow('');
    const friends = await follow('kinds=friends');
    await harness.deliver('alice', mail('One'));
    await befriend('alice', 'bob');
    await befriend('bob', 'alice');
    await until(() => changes(all.lines).length >= 3, { timeoutMs: 20_000, what: 'three changes' });
    const told = changes(all.lines);
    assert.deepEqual(
      told.map(({ key, kinds }) => [key, kinds]),
      [
        ['user:alice', ['email', 'mailbox']],
        ['user:alice', ['friends']],
        ['user:bob', ['friends']],
      ],
    );
    assert.deepEqual(
      changes(friends.lines).map(({ key }) => key),
      ['user:alice', 'user:bob'],
    );
    await until(() => all.lines.at(-1)?.type === 'ping', { timeoutMs: 20_000, what: 'a ping' });
    assert.equal((all.lines.at(-1) as Line<'ping'>).number, told.at(-1)?.number);
  });

  test('goes on where a follower left; one that comes from another instance is told so', async () => {
    const first = await follow('kinds=email');
    const hello = first.lines[0] as Line<'hello'>;
    assert.equal(hello.resumed, false);
    first.stop();
    await harness.deliver('bob', mail('Two'));
    const again = await follow(`kinds=email&instance=${hello.instance}&after=${hello.number}`);
    assert.equal((again.lines[0] as Line<'hello'>).resumed, true);
    await until(() => changes(again.lines).length === 1, {
      timeoutMs: 20_000,
      what: 'the change that was missed',
    });
    const other = await follow(`kinds=email&instance=other&after=${hello.number}`);
    assert.equal((other.lines[0] as Line<'hello'>).resumed, false);
  });

  test('what changed since a time is told from the logs, page by page, also by a server that has just started', async () => {
    await harness.stop();
    await harness.open();
    const since = Date.now();
    const keys = async (query: string): Promise<string[]> => {
      const found: string[] = [];
      for (let afterKey: string | null = ''; afterKey !== null;) {
        const more: string = afterKey === '' ? '' : `&after=${encodeURIComponent(afterKey)}`;
        const response = await harness.fetch(`/changes/keys?limit=1&${query}${more}`, bearer(TOKEN));
        const page = changedKeys.parse(await response.json());
        found.push(...page.changed.map(({ key }) => key));
        afterKey = page.after;
      }
      return found.sort();
    };
    assert.deepEqual(await keys('since=0'), ['user:alice', 'user:bob']);
    assert.deepEqual(await keys(`since=${since + 60_000}`), []);
    await harness.deliver('bob', mail('Three'));
    assert.deepEqual(await keys(`since=${since}`), ['user:bob']);
  });
});
