// The log table. What is there is asked over HBase REST (npm `hbase`); the table is made by the master's own RPC, for REST
// can't make one that is split from the start.
import connect, { type ClusterStatus } from 'hbase';
import { Connections } from './connections.ts';
import { HbaseError, ServerException } from './errors.ts';
import { activeMaster, loadRegions } from './regions.ts';

/** Entries, small bodies and snapshots: a replay reads no bodies. */
export const FAMILIES = { entry: 'e', body: 'b', snapshot: 's' } as const;

/** The master answers once the table is registered; its regions are assigned a moment later. */
const CREATE_TIMEOUT_MS = 30_000;
const REST_TIMEOUT_MS = 10_000;
const TABLE_ATTRIBUTES: Record<string, string> = {
  // Rows are spread by a hash: a region that grows is no hotter than others, and a split stalls appends.
  SPLIT_ENABLED: 'false',
  // Appends of many users in one sync of the write-ahead log.
  coprocessor$1: '|org.apache.hadoop.hbase.coprocessor.MultiRowMutationEndpoint|1073741823|',
};
const FAMILY_ATTRIBUTES: Record<string, string> = { VERSIONS: '1', BLOOMFILTER: 'ROW' };

export type SchemaOptions = {
  /** `http://host:port` of HBase REST. */
  restUrl: string;
  /** `host:port` of masters, separated by commas: any that answers tells which one rules. */
  master: string;
  table: string;
  /** Into how many regions the key space is split when the table is made. */
  regions: number;
};

/**
 * Makes the table when it is not there, and checks that it is as it should be.
 * @returns whether it was made now
 * @throws HbaseError when a table of that name lacks a family; any other error: not ready, try again
 */
export async function ensureSchema(options: SchemaOptions): Promise<{ changed: boolean }> {
  const { restUrl, master, table, regions } = options;
  const rest = restClient(restUrl);
  const there = await promise<boolean>((callback) => rest.table(table).exists(callback));
  if (!there) await createTable(master.split(','), table, regions);
  const schema = await promise<{ ColumnSchema?: { name: string }[] }>((callback) =>
    rest.table(table).schema(callback),
  );
  const names = new Set(schema.ColumnSchema?.map(({ name }) => name));
  const missing = Object.values(FAMILIES).filter((family) => !names.has(family));
  if (missing.length > 0) throw new HbaseError(`Table ${table} lacks the families ${missing.join(', ')}.`);
  return { changed: !there };
}

/** The region servers that the master believes alive, as `host:port`, and how many it believes dead. */
export async function clusterStatus(restUrl: string): Promise<{ live: string[]; dead: number }> {
  const rest = restClient(restUrl);
  const status = await promise<ClusterStatus>((callback) => rest.status_cluster(callback));
  return { live: (status.LiveNodes ?? []).map(({ name }) => name), dead: status.DeadNodes?.length ?? 0 };
}

/** Even parts of the space of 8-byte hashes that rows start with. */
export function splitKeys(regions: number): Uint8Array[] {
  return Array.from({ length: regions - 1 }, (_, i) => {
    const key = Buffer.alloc(4);
    key.writeUInt32BE(Math.floor((2 ** 32 * (i + 1)) / regions));
    return key;
  });
}

async function createTable(masters: readonly string[], table: string, regions: number): Promise<void> {
  const connections = new Connections('cellpost');
  try {
    const connection = await connections.get(await activeMaster(connections, masters), 'MasterService');
    await connection
      .call({
        method: 'CreateTable',
        timeoutMs: CREATE_TIMEOUT_MS,
        parameter: {
          type: 'CreateTableRequest',
          message: {
            table_schema: {
              table_name: { namespace: Buffer.from('default'), qualifier: Buffer.from(table) },
              attributes: pairs(TABLE_ATTRIBUTES),
              column_families: Object.values(FAMILIES).map((family) => ({
                name: Buffer.from(family),
                attributes: pairs(FAMILY_ATTRIBUTES),
              })),
            },
            split_keys: splitKeys(regions),
          },
        },
      })
      .catch((error: unknown) => {
        // Another was faster.
        if (!(error instanceof ServerException && error.className.endsWith('TableExistsException')))
          throw error;
      });
    await assigned(connections, masters, table, regions);
  } finally {
    await connections.close();
  }
}

/** Waits until each region has a server. */
async function assigned(
  connections: Connections,
  masters: readonly string[],
  table: string,
  regions: number,
): Promise<void> {
  const deadline = performance.now() + CREATE_TIMEOUT_MS;
  for (;;) {
    const found = await loadRegions(connections, masters, table, REST_TIMEOUT_MS).catch(() => []);
    if (found.length >= regions) return;
    if (performance.now() > deadline)
      throw new HbaseError(`Table ${table} was made, but not all regions are assigned.`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

const POLL_MS = 100;

const pairs = (attributes: Record<string, string>): object[] =>
  Object.entries(attributes).map(([name, value]) => ({
    first: Buffer.from(name),
    second: Buffer.from(value),
  }));

function restClient(restUrl: string): ReturnType<typeof connect> {
  const url = new URL(restUrl);
  return connect({ protocol: 'http', host: url.hostname, port: Number(url.port), timeout: REST_TIMEOUT_MS });
}

function promise<T>(start: (callback: (error: Error | null, data: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, data) => (error ? reject(error) : resolve(data)));
  });
}
