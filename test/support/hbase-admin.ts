// What an administrator of HBase does to tables and regions, by the active master's own calls.
import { Connections } from '../../workloads/common/hbase/connections.ts';
import { ConnectionLost, ServerException } from '../../workloads/common/hbase/errors.ts';
import { loadRegions, type Region } from '../../workloads/common/hbase/regions.ts';
import { FAMILIES } from '../../workloads/common/hbase/schema.ts';
import { decode, type MessageName } from '../../workloads/common/hbase/wire.ts';
import { until } from './wait.ts';

const DEADLINE_MS = 120_000;
const CALL_TIMEOUT_MS = 30_000;

export class HbaseAdmin {
  readonly #masters: readonly string[];
  readonly #connections = new Connections('administrator');

  /** @param masters `host:port`; one of them is active, or will be soon */
  constructor(masters: readonly string[]) {
    this.#masters = masters;
  }

  /** A table like that of the logs, whose regions may be split. */
  async createTable(table: string, splitKeys: readonly Uint8Array[]): Promise<void> {
    const attributes = {
      coprocessor$1: '|org.apache.hadoop.hbase.coprocessor.MultiRowMutationEndpoint|1073741823|',
    };
    const table_schema = {
      table_name: { namespace: Buffer.from('default'), qualifier: Buffer.from(table) },
      attributes: Object.entries(attributes).map(([name, value]) => ({
        first: Buffer.from(name),
        second: Buffer.from(value),
      })),
      column_families: Object.values(FAMILIES).map((family) => ({ name: Buffer.from(family) })),
    };
    await this.#procedure('CreateTable', 'CreateTableRequest', { table_schema, split_keys: splitKeys });
  }

  regions(table: string): Promise<Region[]> {
    return this.#retried(() => loadRegions(this.#connections, this.#masters, table, CALL_TIMEOUT_MS));
  }

  /**
   * To another server than the present one; resolves when it is there. A master that knows no other does nothing and says
   * that it has moved it; it may think so for a moment after a server may have regions again. So it is asked until it has.
   */
  async move(table: string, region: Region): Promise<void> {
    const { encodedName } = parts(region);
    const message = { region: { type: 2, value: Buffer.from(encodedName) } };
    await until(
      async () => {
        await this.#retried(() => this.#call('MoveRegion', 'MoveRegionRequest', message));
        const now = (await this.regions(table)).find((one) => parts(one).encodedName === encodedName);
        return now?.server !== region.server;
      },
      { timeoutMs: DEADLINE_MS, what: `region ${encodedName} to move` },
    );
  }

  /** @param at the first row of the second half */
  async split(table: string, region: Region, at: Uint8Array): Promise<void> {
    const region_info = {
      region_id: parts(region).regionId,
      table_name: { namespace: Buffer.from('default'), qualifier: Buffer.from(table) },
      start_key: region.startKey,
      end_key: region.endKey,
    };
    await this.#procedure('SplitRegion', 'SplitTableRegionRequest', { region_info, split_row: at });
  }

  /** Two neighbours. */
  async merge(first: Region, second: Region): Promise<void> {
    const region = [first, second].map((each) => ({
      type: 2,
      value: Buffer.from(parts(each).encodedName),
    }));
    await this.#procedure('MergeTableRegions', 'MergeTableRegionsRequest', { region });
  }

  async close(): Promise<void> {
    await this.#connections.close();
  }

  /** Starts a procedure and waits for its end; one that the master can't begin or finish is started again. */
  async #procedure(method: string, type: MessageName, message: object): Promise<void> {
    await this.#retried(async () => {
      const { proc_id } = decode<{ proc_id: unknown }>(
        'ProcedureStarted',
        await this.#call(method, type, message),
      );
      const { exception } = await until(
        async () => {
          const result = decode<ProcedureResult>(
            'GetProcedureResultResponse',
            await this.#call('getProcedureResult', 'GetProcedureResultRequest', { proc_id }),
          );
          return result.state !== 1 && result;
        },
        { timeoutMs: DEADLINE_MS, what: `${method} to finish` },
      );
      const { class_name, message: why } = exception?.generic_exception ?? {};
      if (class_name) throw new ServerException(class_name, why ?? '', false);
    });
  }

  async #call(method: string, type: MessageName, message: object): Promise<Uint8Array> {
    let last: unknown;
    for (const address of this.#masters) {
      try {
        const connection = await this.#connections.get(address, 'MasterService');
        const call = { method, timeoutMs: CALL_TIMEOUT_MS, parameter: { type, message } };
        return (await connection.call(call)).message;
      } catch (error) {
        // The other one may be the active master.
        last = error;
      }
    }
    throw last;
  }

  async #retried<T>(work: () => Promise<T>): Promise<T> {
    let last: unknown;
    try {
      return await until(
        async () => {
          try {
            return { result: await work() };
          } catch (error) {
            if (!(error instanceof ServerException || error instanceof ConnectionLost)) throw error;
            last = error;
            return undefined;
          }
        },
        { timeoutMs: DEADLINE_MS, what: 'the master' },
      ).then(({ result }) => result);
    } catch (error) {
      throw new Error(String(last ?? error), { cause: error });
    }
  }
}

type ProcedureResult = {
  state: number;
  exception?: { generic_exception?: { class_name?: string; message?: string } | null } | null;
};

/** A region's name ends with its number and the hash by which masters name it. */
function parts(region: Region): { regionId: number; encodedName: string } {
  const name = Buffer.from(region.name).toString('latin1');
  const found = /,(?<regionId>\d+)\.(?<encodedName>[0-9a-f]{32})\.$/.exec(name)?.groups;
  if (!found?.regionId || !found.encodedName) throw new Error(`${name} is no region's name.`);
  return { regionId: Number(found.regionId), encodedName: found.encodedName };
}
