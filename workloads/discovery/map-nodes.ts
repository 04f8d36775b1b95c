// How discovery's own coordination lies, below its chroot:
//   /cells/<name>       the cell's record (CellRecord as JSON)
//   /map                which cell each bucket belongs to (BucketMap as JSON)
//   /exceptions/<key>   {"cell": name}: a key that is not where its bucket is; the key is percent-encoded. With
//                       "moving": true its bucket was given to another cell, and the key is on its way there. With
//                       "to": name its log is being ended in the one cell, and goes on in the other
import { z } from 'zod';
import { BucketMap } from '../common/cell-client/buckets.ts';
import { CELL_NAME, type CellRecord, cellRecord } from '../common/cell-client/directory-messages.ts';
import {
  CoordinationError,
  type CoordinationSession,
  type Watcher,
  type Znode,
} from '../common/coordination/coordination.ts';
import type { MapState } from './state.ts';

export const CELLS = '/cells';
export const MAP = '/map';
export const EXCEPTIONS = '/exceptions';

export const exceptionRecord = z.object({
  cell: z.string().regex(CELL_NAME),
  moving: z.boolean().optional(),
  to: z.string().regex(CELL_NAME).optional(),
});
export type ExceptionRecord = z.infer<typeof exceptionRecord>;
const decoder = new TextDecoder();

export function toBytes(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}

/** Makes what is missing. */
export async function makeMapNodes(session: CoordinationSession): Promise<void> {
  const nodes: [string, Uint8Array][] = [
    [CELLS, new Uint8Array()],
    [EXCEPTIONS, new Uint8Array()],
    [MAP, toBytes(BucketMap.empty.encode())],
  ];
  for (const [path, data] of nodes) {
    try {
      await session.create(path, data);
    } catch (error) {
      if (!(error instanceof CoordinationError && error.code === 'node-exists')) throw error;
    }
  }
}

/** Reads everything. @returns undefined when it changed meanwhile @throws when the map can't be understood */
export async function readMap(session: CoordinationSession, watcher: Watcher): Promise<MapState | undefined> {
  const [map, cells, exceptions] = await Promise.all([
    session.get(MAP, watcher),
    readAll(session, CELLS, watcher),
    readAll(session, EXCEPTIONS, watcher),
  ]);
  if (!map || !cells || !exceptions) return undefined;
  const records = exceptions.nodes.flatMap(([name, node]) => {
    const record = decodeException(node);
    return record ? [[decodeURIComponent(name), record] as const] : [];
  });
  return {
    version: Math.max(map.stat.mzxid, cells.version, exceptions.version),
    buckets: decodeBuckets(map),
    cells: cells.nodes.flatMap(([, node]) => decodeCell(node) ?? []),
    exceptions: new Map(records.map(([key, { cell }]) => [key, cell])),
    ending: new Map(
      records.flatMap(([key, { cell, to }]) => (to ? [[key, { from: cell, to }] as const] : [])),
    ),
  };
}

export async function readCells(session: CoordinationSession): Promise<CellRecord[]> {
  const all = await readAll(session, CELLS);
  return (all?.nodes ?? []).flatMap(([, node]) => decodeCell(node) ?? []);
}

export function decodeBuckets(node: Znode): BucketMap {
  return BucketMap.decode(parse(node));
}

export function decodeException(node: Znode): ExceptionRecord | undefined {
  return exceptionRecord.safeParse(parse(node)).data;
}

/** @returns undefined when this is no record: such a node is passed over */
export function decodeCell(node: Znode): CellRecord | undefined {
  return cellRecord.safeParse(parse(node)).data;
}

async function readAll(
  session: CoordinationSession,
  path: string,
  watcher?: Watcher,
): Promise<{ version: number; nodes: [name: string, node: Znode][] } | undefined> {
  const listed = await session.children(path, watcher);
  if (!listed) return undefined;
  let version = listed.stat.pzxid;
  const nodes: [string, Znode][] = [];
  const read = await Promise.all(listed.names.map((name) => session.get(`${path}/${name}`, watcher)));
  for (const [i, node] of read.entries()) {
    // Gone since it was listed.
    if (!node) return undefined;
    version = Math.max(version, node.stat.mzxid);
    nodes.push([listed.names[i] ?? '', node]);
  }
  return { version, nodes };
}

function parse(node: Znode): unknown {
  try {
    return JSON.parse(decoder.decode(node.data));
  } catch {
    return undefined;
  }
}
