// Collects blobs that nothing refers to. It takes two sweeps to delete one: the first that finds it unreferenced sets it
// aside, where reads still find it; a later one, a grace period after that, deletes it if it is unreferenced still, and
// takes it back if it is not.
//
// Why that is safe while mail arrives. Whoever is about to refer to a blob puts it first, also when it is there, and
// refers to it within the grace period. A put makes an ordinary blob of it, young (`changedAtMs`), whatever was before:
// - It is young when the list is made: it is left alone.
// - It is put again after the list was made, and set aside all the same, since no store can move a file "unless it has
//   changed": reads find it, the reference becomes durable, and the next sweep reads the references anew, after that, and
//   takes the blob back. It deletes only what was set aside a grace period ago.
// - It is put again after it was set aside: then it is in both places, and deleting what was set aside leaves it alone.
// A reference that one sweep misses (a user who moves from a cell not yet read to one that was read already) costs
// nothing, either: it would have to be missed by two sweeps, a grace period apart.
import type { BlobId, BlobStore } from './blob-store.ts';
import { IdPartitions, PARTS } from './id-partitions.ts';

export type SweepOptions = {
  store: BlobStore;
  /** Every blob that anything refers to, any number of times. Read once, after the list of blobs was made. */
  references: AsyncIterable<BlobId>;
  /** Longer than anything takes from the put of a blob to the reference, and than an upload may wait for its use. */
  graceMs: number;
  /** Says what would be done, and does nothing. */
  dryRun: boolean;
  now?: () => number;
};

type Count = { blobs: number; bytes: number };

export type SweepResult = {
  /** Found in the store, those set aside before included. */
  found: Count;
  /** Unreferenced: set aside now. */
  setAside: Count;
  /** Set aside by an earlier sweep and referred to after all. */
  takenBack: Count;
  /** Set aside by an earlier sweep, and deleted now. */
  deleted: Count;
};

/** @throws what the store or the references throw; nothing was moved or deleted when the references can't all be read */
export async function sweepBlobs(options: SweepOptions): Promise<SweepResult> {
  const { store, graceMs, dryRun, now = Date.now } = options;
  const cutoffMs = now() - graceMs;
  const none = (): Count => ({ blobs: 0, bytes: 0 });
  const result: SweepResult = { found: none(), setAside: none(), takenBack: none(), deleted: none() };
  await using resources = new AsyncDisposableStack();
  const partitions = async (): Promise<IdPartitions> => {
    const made = await IdPartitions.make();
    resources.defer(() => made.close());
    return made;
  };
  const [old, retired, retiredLongAgo, referenced] = [
    await partitions(),
    await partitions(),
    await partitions(),
    await partitions(),
  ];
  for await (const { id, sizeBytes, changedAtMs } of store.listRetired()) {
    count(result.found, sizeBytes);
    await (changedAtMs <= cutoffMs ? retiredLongAgo : retired).add(id, sizeBytes);
  }
  for await (const { id, sizeBytes, changedAtMs } of store.list()) {
    count(result.found, sizeBytes);
    if (changedAtMs <= cutoffMs) await old.add(id, sizeBytes);
  }
  for await (const id of options.references) await referenced.add(id);

  const act = async (counted: Count, sizeBytes: number, action: () => Promise<unknown>): Promise<void> => {
    if (dryRun || (await action()) !== false) count(counted, sizeBytes);
  };
  for (let part = 0; part < PARTS; part++) {
    const used = await referenced.read(part);
    for (const [id, sizeBytes] of await retiredLongAgo.read(part)) {
      if (used.has(id)) await act(result.takenBack, sizeBytes, () => store.revive(id));
      else await act(result.deleted, sizeBytes, () => store.purge(id, cutoffMs));
    }
    for (const [id, sizeBytes] of await retired.read(part))
      if (used.has(id)) await act(result.takenBack, sizeBytes, () => store.revive(id));
    for (const [id, sizeBytes] of await old.read(part))
      if (!used.has(id)) await act(result.setAside, sizeBytes, () => store.retire(id));
  }
  return result;
}

function count(counted: Count, sizeBytes: number): void {
  counted.blobs++;
  counted.bytes += sizeBytes;
}
