// The manifests of backups: a document each, written last. What no manifest names does not count. The first line is JSON,
// the second the SHA-256 of the first.
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { BlobStore } from '../../workloads/common/blobs/blob-store.ts';
import { BadBackup } from './index-record.ts';

const FORMAT = 1;
const NAME = /^backup-(\d{8}T\d{9}Z-[0-9a-f]{8})\.json$/;

const count = z.number().int().nonnegative();

const manifestSchema = z.object({
  format: z.literal(FORMAT),
  id: z.string(),
  madeAt: z.iso.datetime(),
  /** The one cell whose users it has; null: those of all. */
  cell: z.string().nullable(),
  /** The backup that it was made on top of. It does not need it: it names everything itself. */
  parent: z.string().nullable(),
  keys: count,
  entries: count,
  /** In the order of the keys. */
  index: z.array(z.object({ id: z.string(), first: z.string(), records: count, sizeBytes: count })),
  /** What this backup wrote itself. */
  added: z.object({
    keys: count,
    entries: count,
    segments: count,
    segmentBytes: count,
    indexBytes: count,
    blobs: count,
    blobBytes: count,
  }),
});

export type Manifest = z.infer<typeof manifestSchema>;

/** Names a backup made now; later than the one before, whatever the clock says. Ids sort by time; two at once differ. */
export function newBackup(parent: Manifest | undefined): Pick<Manifest, 'id' | 'madeAt' | 'parent'> {
  const madeAt = new Date(Math.max(Date.now(), parent ? Date.parse(parent.madeAt) + 1 : 0)).toISOString();
  const id = `${madeAt.replaceAll(/[-:.]/g, '')}-${randomBytes(4).toString('hex')}`;
  return { id, madeAt, parent: parent?.id ?? null };
}

export async function writeManifest(store: BlobStore, manifest: Manifest): Promise<void> {
  const text = JSON.stringify(manifest);
  await store.documents.put(`backup-${manifest.id}.json`, Buffer.from(`${text}\n${digest(text)}\n`));
}

/** The ids of all backups, the newest last. */
export async function listBackups(store: BlobStore): Promise<string[]> {
  const names = await store.documents.list();
  return names.flatMap((name) => NAME.exec(name)?.[1] ?? []).sort();
}

/** @throws BadBackup when there is none, or it is damaged or of another format */
export async function readManifest(store: BlobStore, id: string): Promise<Manifest> {
  const name = `backup-${id}.json`;
  const bytes = NAME.test(name) ? await store.documents.get(name) : undefined;
  if (!bytes) throw new BadBackup(`There is no backup ${id} there.`);
  const damaged = new BadBackup(`The manifest of backup ${id} is damaged.`);
  const [text = '', sha256] = Buffer.from(bytes).toString().split('\n');
  if (sha256 !== digest(text)) throw damaged;
  const value: unknown = JSON.parse(text);
  const format = z.object({ format: z.number() }).safeParse(value).data?.format;
  if (format !== FORMAT)
    throw new BadBackup(`Backup ${id} has format ${format}; this version knows ${FORMAT}.`);
  const manifest = manifestSchema.safeParse(value).data;
  if (manifest?.id !== id) throw damaged;
  return manifest;
}

/** The newest backup of all cells (`cell` null) or of one. */
export async function latestBackup(store: BlobStore, cell: string | null): Promise<Manifest | undefined> {
  for (const id of (await listBackups(store)).reverse()) {
    const manifest = await readManifest(store, id);
    if (manifest.cell === cell) return manifest;
  }
  return undefined;
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
