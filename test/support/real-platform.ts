// A platform of real parts: each cell has a table of HBase and its ring in ZooKeeper, where the map of cells is, too; around
// them discovery, the MTA proxy and web, a process each.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from '../../embedded/child.ts';
import { openCells, type Cells } from '../../workloads/common/cell-client/cells.ts';
import { ensureSchema } from '../../workloads/common/hbase/schema.ts';
import { createLogger } from '../../workloads/common/log.ts';
import type { Hbase } from '../real/hbase.ts';
import { runCellctl } from './cellctl.ts';
import type { Doors } from './platform.ts';
import { until } from './wait.ts';

const TOKEN = 'a token of the platform for tests';
const REGIONS = 2;
/** As ZooKeeper's own servers have it here: long against what a machine that is busy does to a process. */
const SESSION_TIMEOUT_MS = 4_000;
const START_DEADLINE_MS = 60_000;
const HTTP = { http: 'CELLPOST_HTTP_PORT' };

export type RealPlatform = Doors & {
  cells: Cells;
  /** What its processes log is in files here. */
  logs: string;
  /** By which cellctl finds it. */
  env: NodeJS.ProcessEnv;
  /** Runs `cellctl ARGS --json` against it. */
  cellctl<T>(...args: string[]): Promise<T>;
  /** Resolves when the cell's app server serves and it is enabled. */
  addCell(name: string): Promise<void>;
  /** Stops its processes; its tables stay. */
  [Symbol.asyncDispose](): Promise<void>;
};

/**
 * @param name tells it from others over the same HBase; its cells are a and b at first
 * @param settings of all its processes
 */
export async function startRealPlatform(
  hbase: Hbase,
  name: string,
  settings: Record<string, string> = {},
): Promise<RealPlatform> {
  const opened = new AsyncDisposableStack();
  try {
    return await start(hbase, name, settings, opened);
  } catch (error) {
    await opened.disposeAsync();
    throw error;
  }
}

async function start(
  hbase: Hbase,
  name: string,
  settings: Record<string, string>,
  opened: AsyncDisposableStack,
): Promise<RealPlatform> {
  const home = await mkdtemp(join(tmpdir(), 'cellpost-real-'));
  opened.defer(() => rm(home, { recursive: true, force: true }));
  const logs = join(home, 'logs');
  await mkdir(logs);
  const common = {
    CELLPOST_HTTP_HOST: '127.0.0.1',
    CELLPOST_HTTP_PORT: '0',
    CELLPOST_PLATFORM_TOKEN: TOKEN,
    CELLPOST_BLOB_STORE: `file:${join(home, 'blobs')}`,
    CELLPOST_SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS),
    ...settings,
  };
  const child = (process: string, workload: string): Child => {
    const logFile = join(logs, `${process}.log`);
    const made = new Child({ name: process, workload, logFile, onDeath: () => undefined });
    opened.defer(() => made.stop());
    return made;
  };
  const coordination = (part: string): string => hbase.coordination(`/${name}/${part}`);
  const discovery = await child('discovery', 'discovery').start(
    { ...common, CELLPOST_COORDINATION: coordination('discovery') },
    HTTP,
  );
  const doors = { ...common, CELLPOST_DISCOVERY_URL: discovery.url };
  const cells = opened.adopt(
    await openCells({
      discoveryUrl: discovery.url,
      token: TOKEN,
      logger: createLogger('test', 'silent'),
    }),
    (open) => open.close(),
  );
  const serves = async (cell: string): Promise<boolean> =>
    (await cells.nodes()).some((one) => one.cell === cell && one.state === 'serving');
  const addCell = async (cell: string): Promise<void> => {
    const node = child(`app-server ${cell}`, 'app-server');
    const { restUrl, master, regionServer } = hbase;
    const table = `${name}_${cell}`;
    await ensureSchema({ restUrl, master, table, regions: REGIONS });
    await node.start(
      {
        ...common,
        CELLPOST_CELL: cell,
        CELLPOST_NODE: `${cell}-0`,
        CELLPOST_COORDINATION: coordination(`cells/${cell}`),
        CELLPOST_LOG_STORE: `hbase://${master},${regionServer}/${table}`,
      },
      HTTP,
    );
    await cells.putCell(cell, {
      state: 'Enabled',
      dataCenter: 'here',
      coordination: coordination(`cells/${cell}`),
    });
    await until(() => serves(cell), { timeoutMs: START_DEADLINE_MS, what: `cell ${cell} to serve` });
  };
  const [smtp, web] = await Promise.all([
    child('mta-proxy', 'mta-proxy').start(
      {
        ...doors,
        CELLPOST_SMTP_HOST: '127.0.0.1',
        CELLPOST_SMTP_PORT: '0',
        CELLPOST_SMTP_HOSTNAME: 'localhost',
      },
      { ...HTTP, smtp: 'CELLPOST_SMTP_PORT' },
    ),
    child('web', 'web').start({ ...doors }, HTTP),
    ...['a', 'b'].map(addCell),
  ]);
  const env = {
    CELLPOST_DISCOVERY_URL: discovery.url,
    CELLPOST_PLATFORM_TOKEN: TOKEN,
    CELLPOST_BLOB_STORE: common.CELLPOST_BLOB_STORE,
  };
  return {
    webUrl: web.url,
    smtpPort: Number(smtp.ports.smtp),
    cells,
    logs,
    env,
    cellctl: (...args) => runCellctl(args, env),
    addCell,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
