// What a disk may do to the snapshots and pages that lie on it: nothing of it may change what is read.
import type { StoredSnapshot } from '../../workloads/app-server/log/log-store.ts';
import { sealSnapshot } from '../../workloads/app-server/log/user-log-snapshot.ts';
import type { DamageKind } from './faults.ts';
import type { Random } from './random.ts';
import type { Disk } from './store.ts';

/** What sealSnapshot puts before the bytes. */
const SEAL_BYTES = 16;

/**
 * @param sealed a mutation: what is damaged has a valid seal afterwards, as if nobody looked at it
 * @returns what was done, for the trace
 */
export function damage(
  disk: Disk,
  key: string,
  kind: Exclude<DamageKind, 'regenerate'>,
  random: Random,
  sealed: boolean,
): string {
  const { snapshots, pages } = disk.logs;
  const there = snapshots.get(key);
  const put = (snapshot: StoredSnapshot): string => {
    const bytes = snapshot.bytes.subarray(SEAL_BYTES);
    snapshots.set(key, sealed ? sealSnapshot(key, { ...snapshot, bytes }) : snapshot);
    return `snapshot of entry ${snapshot.seq}, ${snapshot.bytes.length} bytes`;
  };
  const stored = [...(pages.get(key)?.keys() ?? [])];
  const page = stored.length > 0 ? random.pick(stored) : undefined;
  switch (kind) {
    case 'flip page': {
      const bytes = page && pages.get(key)?.get(page);
      if (!page || !bytes) break;
      pages.get(key)?.set(page, flipped(bytes, random));
      return page;
    }
    case 'lose page':
      if (!page) break;
      pages.get(key)?.delete(page);
      return page;
    case 'lose snapshot':
      snapshots.delete(key);
      return 'gone';
    case 'old snapshot': {
      const older = disk.replaced.get(key) ?? [];
      return older.length > 0 ? put(random.pick(older)) : 'nothing';
    }
    case 'foreign snapshot': {
      const others = [...snapshots].filter(([other]) => other !== key).map(([, snapshot]) => snapshot);
      return others.length > 0 ? put(random.pick(others)) : 'nothing';
    }
    case 'flip snapshot':
      return there ? put({ ...there, bytes: flipped(there.bytes, random) }) : 'nothing';
    case 'shorten snapshot':
      return there
        ? put({ ...there, bytes: there.bytes.slice(0, random.integer(0, there.bytes.length - 1)) })
        : 'nothing';
    case 'misnumber snapshot':
      return there ? put({ ...there, seq: Math.max(1, there.seq + random.integer(-3, 3)) }) : 'nothing';
    case 'newer snapshot':
      snapshots.set(key, { seq: random.integer(1, 100), format: 2, bytes: new Uint8Array([1, 2, 3]) });
      return 'format 2';
  }
  return 'nothing';
}

function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const damaged = bytes.slice();
  const at = random.integer(Math.min(SEAL_BYTES, bytes.length - 1), bytes.length - 1);
  damaged[at] = (damaged[at] ?? 0) ^ (1 << random.integer(0, 2));
  return damaged;
}
