import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { BadEdgeList, loadEdgeList } from './edge-list.ts';
import { FriendGraph } from './graph.ts';
import { expectSame, NaiveGraph } from './naive-graph.ts';

const folder = mkdtempSync(join(tmpdir(), 'cellpost-graph-'));
after(() => rmSync(folder, { recursive: true, force: true }));
let files = 0;

function edgeFile(content: string | Uint8Array): string {
  const file = join(folder, `edges-${++files}`);
  writeFileSync(file, content);
  return file;
}

const users = Array.from({ length: 14 }, (_, n) => `user-${n}_${'x'.repeat(n)}`);
const user = fc.constantFrom(...users);
const pair = fc.tuple(user, user).filter(([a, b]) => a !== b);

test('degree, friends, mutual friends and friends of friends are those of a naive model, whatever was loaded and said', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(pair, { maxLength: 60 }),
      fc.array(fc.tuple(pair, fc.boolean()), { maxLength: 40 }),
      fc.boolean(),
      async (edges, words, zipped) => {
        const naive = new NaiveGraph(users);
        for (const [a, b] of edges) naive.edges.add(`${a} ${b}`);
        const text = `# edges\n${edges.map(([a, b], n) => `${a}${[' ', '\t', ', '][n % 3]}${b}`).join('\r\n')}`;
        const graph = await loadEdgeList(edgeFile(zipped ? gzipSync(text) : text));
        for (const [[a, b], isFriend] of words) {
          naive.words.set(a, (naive.words.get(a) ?? new Map<string, boolean>()).set(b, isFriend));
          const said = [...(naive.words.get(a) ?? [])];
          const of = (wanted: boolean): string[] => said.filter(([, is]) => is === wanted).map(([id]) => id);
          graph.say(a, { friends: of(true), former: of(false) });
        }
        expectSame(graph, naive);
      },
    ),
    { numRuns: 60 },
  );
});

test('a friendship that only one of the two says is none', () => {
  const graph = new FriendGraph();
  graph.say('a', { friends: ['b'], former: [] });
  assert.equal(graph.degree('a', 'b'), 'far');
  graph.say('b', { friends: ['a'], former: [] });
  assert.equal(graph.degree('a', 'b'), 1);
  graph.say('a', { friends: [], former: ['b'] });
  assert.deepEqual([graph.degree('a', 'b'), graph.friends('b')], ['far', []]);
  assert.equal(graph.degree('nobody', 'a'), 'far');
});

test('many ids keep their numbers through growth', async () => {
  const text = Array.from({ length: 30_000 }, (_, n) => `u${n} u${(n * 7 + 1) % 30_000}`).filter((line) => {
    const [a, b] = line.split(' ');
    return a !== b;
  });
  const { ids, base } = await loadEdgeList(edgeFile(text.join('\n')));
  assert.equal(ids.size, 30_000);
  for (let n = 0; n < 30_000; n++) assert.equal(ids.id(ids.find(`u${n}`)), `u${n}`);
  assert.equal(ids.find('u30000'), -1);
  assert.equal(base.offsets.at(-1), base.targets.length);
});

test('a bad edge list is refused with its line', async () => {
  const cases: [string | Uint8Array, RegExp][] = [
    ['a b\na\n', /Line 2 has no two/],
    ['a b c\n', /Line 1 has more than two/],
    ['# x\na b\n\na -b\n', /Line 4 has something that is no user id/],
    ['a a', /Line 1 makes a user their own friend/],
    [`a ${'b'.repeat(65)}\n`, /Line 1 has something/],
    [`a b\n${'a'.repeat(100_000)}`, /Line 2 is too long/],
    [Uint8Array.of(0xff, 0, 0x0a), /Line 1 has something/],
    [gzipSync('a b\n'.repeat(1000)).subarray(0, 30), /gzip file is damaged/],
  ];
  for (const [content, message] of cases)
    await assert.rejects(loadEdgeList(edgeFile(content)), (error) => {
      assert.ok(error instanceof BadEdgeList);
      assert.match(error.message, message);
      return true;
    });
});
