// npm run bench:user-index -- --from=feed: users whose own logs say who their 200 friends are, told one by one as whoever follows
// the feeds tells them, half of the friends first; the memory of that, the snapshot of it, and an index that starts from it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openBlobStore } from '../../workloads/common/blobs/open-blob-store.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { GraphStore } from '../../workloads/user-index/graph-store.ts';
import { machine, residentBytes } from './support/cpu.ts';
import { table } from './support/table.ts';
import { asked, startIndex } from './support/user-index.ts';

const FRIENDS = 200;
const SNAPSHOT_MS = 600_000;
/** Users between two turns of the event loop. */
const AT_ONCE = 100;

/** So far on either side of a user are friends: whoever is a friend has the user for a friend. */
function distances(users: number): number[] {
  const found = new Set<number>();
  for (let n = 1; found.size < Math.min(FRIENDS / 2, Math.floor((users - 1) / 2)); n++)
    found.add(1 + ((Math.imul(n, 0x9e3779b1) >>> 0) % Math.floor((users - 1) / 2)));
  return [...found];
}

/** @returns a function that ends it, and tells how long each pause of the event loop was that was longer than this */
function watchPauses(): (ms: number) => number[] {
  const gaps: number[] = [];
  let last = performance.now();
  let isOn = true;
  const tick = (): void => {
    const now = performance.now();
    gaps.push(now - last);
    last = now;
    if (isOn) setImmediate(tick);
  };
  setImmediate(tick);
  return (ms) => {
    isOn = false;
    return gaps.filter((gap) => gap > ms);
  };
}

export async function benchFeed(users: number): Promise<void> {
  await using resources = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'cellpost-bench-'));
  resources.defer(() => rm(folder, { recursive: true, force: true }));
  const blobUrl = `file:${join(folder, 'blobs')}`;
  process.stdout.write(`${machine()}; ${users} users, ${FRIENDS} friends each, from their logs\n`);
  const emptyBytes = residentBytes(process.pid);
  const blobs = await openBlobStore(blobUrl, {});
  const store = new GraphStore({ blobs, logger: createLogger('bench', 'error'), snapshotMs: SNAPSHOT_MS });
  await store.open();
  const away = distances(users);
  let began = performance.now();
  for (const known of [away.slice(0, away.length / 2), away]) {
    for (let user = 0; user < users; user++) {
      const friends = known.flatMap((n) => [`u${(user + n) % users}`, `u${(user - n + users) % users}`]);
      store.say(`u${user}`, { friends, former: [] });
      if (user % AT_ONCE === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  }
  const sayUs = ((performance.now() - began) * 1_000) / (2 * users);
  const saidBytes = residentBytes(process.pid);
  const { byteLength } = store.graph;

  store.keep({ watermarks: () => new Map(), isComplete: () => true });
  const pausesOver = watchPauses();
  began = performance.now();
  await store.save();
  const saveSeconds = (performance.now() - began) / 1_000;
  const pauses = pausesOver(1);
  await store.stop();
  await blobs.close();

  const index = await startIndex(folder, blobUrl);
  resources.defer(() => index.stop());
  const startedBytes = residentBytes(index.pid);
  const result = await asked('index', Number(new URL(index.url).port), users);
  const askedBytes = residentBytes(index.pid);
  const mb = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  const perFriend = (bytes: number): string => (bytes / (users * away.length * 2)).toFixed(1);
  process.stdout.write(
    `${table(
      ['', 'bytes', 'bytes a friend'],
      [
        ['arrays of the graph, all told', mb(byteLength), perFriend(byteLength)],
        [
          'process that was told, above an empty one',
          mb(saidBytes - emptyBytes),
          perFriend(saidBytes - emptyBytes),
        ],
        ['index from the snapshot', mb(startedBytes), perFriend(startedBytes)],
        ['the same, asked', mb(askedBytes), perFriend(askedBytes)],
      ],
    )}\n`,
  );
  const { perSecond, p50Ms, p99Ms, maxMs } = result.fromDue;
  process.stdout.write(
    `a word ${sayUs.toFixed(0)} us; snapshot stored in ${saveSeconds.toFixed(1)} s, ${pauses.length} pauses of more than 1 ms, the longest ` +
      `${Math.max(0, ...pauses).toFixed(1)} ms; start ${index.startSeconds.toFixed(1)} s; asked ${perSecond.toFixed(0)}/s, p50 ${p50Ms.toFixed(2)}, ` +
      `p99 ${p99Ms.toFixed(2)}, max ${maxMs.toFixed(1)} ms; ${JSON.stringify(result.answers)}\n`,
  );
}
