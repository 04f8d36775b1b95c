// Which server has which rows of a table. Tables of this project are split once, when they are made, so all regions of a
// table are learnt at once, and again when one of them is not where it was.
import { readCells, type Cell } from './cells.ts';
import type { Connections } from './connections.ts';
import { HbaseError } from './errors.ts';
import { decode } from './wire.ts';

export type Region = {
  /** The name by which requests name it. */
  name: Uint8Array;
  startKey: Uint8Array;
  /** Exclusive; empty: the last region. */
  endKey: Uint8Array;
  /** `host:port`; set anew when that server tells where the region went. */
  server: string;
};

type ServerName = { host_name: string; port: number };
const META = Buffer.from('hbase:meta,,1');
const REGION_INFO_MAGIC = Buffer.from('PBUF');
/** One that hangs leaves time for the next. */
const BOOTSTRAP_TIMEOUT_MS = 1_500;
/** More regions than any table here has. */
const MAX_REGIONS = 10_000;

/**
 * The regions of a table, in the order of their keys.
 * @param bootstrap masters or region servers, `host:port`: the first that answers says where hbase:meta is
 * @throws ServerException, ConnectionLost; HbaseError when there is no such table
 */
export async function loadRegions(
  connections: Connections,
  bootstrap: readonly string[],
  table: string,
  timeoutMs: number,
): Promise<Region[]> {
  const meta = await metaServer(connections, bootstrap);
  const connection = await connections.get(meta);
  const answer = await connection.call({
    method: 'Scan',
    timeoutMs,
    parameter: {
      type: 'ScanRequest',
      message: {
        region: { type: 1, value: META },
        scan: {
          column: [
            { family: Buffer.from('info'), qualifier: [Buffer.from('regioninfo'), Buffer.from('server')] },
          ],
          start_row: Buffer.from(`${table},,`),
          // hbase:meta is ordered by table, then key: a space comes before the comma.
          stop_row: Buffer.from(`${table} ,,`),
          include_start_row: true,
          caching: MAX_REGIONS,
        },
        number_of_rows: MAX_REGIONS,
        limit_of_rows: MAX_REGIONS,
        close_scanner: false,
        client_handles_partials: false,
        client_handles_heartbeats: false,
      },
    },
  });
  const regions = parseRegions(readCells(answer.cellBlock));
  if (regions.length === 0) throw new HbaseError(`There is no table ${table}.`);
  return regions;
}

/** The region of a row. @throws HbaseError when the regions have a hole there */
export function regionOf(regions: readonly Region[], row: Uint8Array): Region {
  let low = 0;
  let high = regions.length;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    const region = regions[middle];
    if (region && Buffer.compare(region.startKey, row) <= 0) low = middle;
    else high = middle;
  }
  const found = regions[low];
  if (!found || !holds(found, row)) throw new HbaseError('No region holds the row; one is being moved.');
  return found;
}

/** The region that ends with a row's predecessor or holds it. @throws HbaseError when the regions have a hole there */
export function regionBefore(regions: readonly Region[], row: Uint8Array): Region {
  const found = regions.findLast(
    ({ startKey, endKey }) =>
      Buffer.compare(startKey, row) < 0 && (endKey.length === 0 || Buffer.compare(row, endKey) <= 0),
  );
  if (!found) throw new HbaseError('No region holds what is before the row; one is being moved.');
  return found;
}

export const holds = ({ startKey, endKey }: Region, row: Uint8Array): boolean =>
  Buffer.compare(startKey, row) <= 0 && (endKey.length === 0 || Buffer.compare(row, endKey) < 0);

/** Where hbase:meta is. */
async function metaServer(connections: Connections, bootstrap: readonly string[]): Promise<string> {
  return await askFirst(connections, bootstrap, 'GetMetaRegionLocations', (message) => {
    const { meta_locations } = decode<{ meta_locations: { server_name?: ServerName | null }[] }>(
      'GetMetaRegionLocationsResponse',
      message,
    );
    return meta_locations[0]?.server_name;
  });
}

/** The master that rules, as `host:port`; the others are standbys. @throws ConnectionLost, HbaseError */
export async function activeMaster(connections: Connections, masters: readonly string[]): Promise<string> {
  return await askFirst(
    connections,
    masters,
    'GetActiveMaster',
    (message) => decode<{ server_name?: ServerName | null }>('GetActiveMasterResponse', message).server_name,
  );
}

/** Asks one server after another. */
async function askFirst(
  connections: Connections,
  servers: readonly string[],
  method: 'GetMetaRegionLocations' | 'GetActiveMaster',
  read: (message: Uint8Array) => ServerName | null | undefined,
): Promise<string> {
  let last: unknown;
  for (const address of servers) {
    try {
      const connection = await connections.get(address, 'ClientMetaService');
      const answer = await connection.call({
        method,
        timeoutMs: BOOTSTRAP_TIMEOUT_MS,
        parameter: { type: `${method}Request`, message: {} },
      });
      const server = read(answer.message);
      if (server) return `${server.host_name}:${server.port}`;
      last = new HbaseError(`${address} does not know the answer to ${method}.`);
    } catch (error) {
      last = error;
    }
  }
  throw last;
}

type MetaRow = { name: Uint8Array; info?: Uint8Array; server?: string };

function parseRegions(cells: Cell[]): Region[] {
  const rows = new Map<string, MetaRow>();
  for (const { row, qualifier, value } of cells) {
    const key = Buffer.from(row).toString('latin1');
    const known: MetaRow = rows.get(key) ?? { name: Buffer.from(row) };
    if (Buffer.from(qualifier).toString() === 'server') known.server = Buffer.from(value).toString();
    else known.info = value;
    rows.set(key, known);
  }
  return [...rows.values()].flatMap(({ name, info, server }) => {
    if (!info || !server) return [];
    const magic = REGION_INFO_MAGIC.length;
    if (!REGION_INFO_MAGIC.equals(info.subarray(0, magic))) return [];
    const region = decode<{
      start_key?: Uint8Array;
      end_key?: Uint8Array;
      offline?: boolean;
      split?: boolean;
    }>('RegionInfo', info.subarray(magic));
    if (region.offline || region.split) return [];
    const copy = (bytes: Uint8Array | undefined): Uint8Array => Buffer.from(bytes ?? []);
    return [{ name, startKey: copy(region.start_key), endKey: copy(region.end_key), server }];
  });
}

export const specifier = (region: Region): object => ({ type: 1, value: region.name });
