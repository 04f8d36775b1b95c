// A platform of which every process can die and stop, its coordination too. That is ZooKeeper where there is
// Java, else the embedded coordinator in a process of its own. Logs lie in SQLite.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from '../../embedded/child.ts';
import { openCells, type Cells } from '../../workloads/common/cell-client/cells.ts';
import type { Environment } from '../../workloads/common/config/env.ts';
import { createLogger } from '../../workloads/common/log.ts';
import { SERVERS, type CoordinationServer } from '../conformance/coordination-servers.ts';
import type { Doors } from '../support/platform.ts';
import { until } from '../support/wait.ts';

const TOKEN = 'a token of the platform for tests';
const CELLS = ['a', 'b'];
const NODES_PER_CELL = 2;
const START_DEADLINE_MS = 60_000;
const HTTP = { http: 'CELLPOST_HTTP_PORT' };

export type KillablePlatform = Doors & {
  /** Logs are in files in `logs`, blobs and documents in `blobs`. */
  home: string;
  token: string;
  discoveryUrl: string;
  cells: Cells;
  coordination: CoordinationServer;
  discovery: Child;
  appServers: Child[];
  /** A process more; it ends with the platform. */
  child(name: string, workload: string): Child;
  [Symbol.asyncDispose](): Promise<void>;
};

/** @param stub stands in for the user index */
export async function startKillablePlatform(stub?: { userIndexUrl: string }): Promise<KillablePlatform> {
  await using opened = new AsyncDisposableStack();
  const home = await mkdtemp(join(tmpdir(), 'cellpost-counts-'));
  opened.defer(() => rm(home, { recursive: true, force: true }));
  await mkdir(join(home, 'logs'));
  const coordination = await startCoordination();
  opened.defer(() => coordination.close());
  const children: Child[] = [];
  opened.defer(() => children.forEach((one) => one.kill()));
  const child = (name: string, workload: string): Child => {
    const logFile = join(home, 'logs', `${name}.log`);
    const made = new Child({ name, workload, logFile, onDeath: () => undefined });
    children.push(made);
    return made;
  };
  const common = {
    CELLPOST_HTTP_HOST: '127.0.0.1',
    CELLPOST_HTTP_PORT: '0',
    CELLPOST_PLATFORM_TOKEN: TOKEN,
    CELLPOST_BLOB_STORE: `file:${join(home, 'blobs')}`,
    CELLPOST_SESSION_TIMEOUT_MS: String(coordination.timeoutMs),
    // On a busy machine it may be slow, and mail would be filed as that of strangers at first.
    CELLPOST_USER_INDEX_TIMEOUT_MS: '5000',
  };
  const discovery = child('discovery', 'discovery');
  const { url: discoveryUrl } = await discovery.start(
    {
      ...common,
      CELLPOST_COORDINATION: coordination.url('/discovery'),
      CELLPOST_STATE_DIR: join(home, 'discovery'),
    },
    HTTP,
  );
  // Each gets one of its own: a child notes its ports in it.
  const doors = { ...common, CELLPOST_DISCOVERY_URL: discoveryUrl };
  const userIndexUrl =
    stub?.userIndexUrl ?? (await child('user-index', 'user-index').start({ ...doors }, HTTP)).url;
  const logger = createLogger('test', 'silent');
  const cells = opened.adopt(await openCells({ discoveryUrl, token: TOKEN, logger }), (open) => open.close());
  const appServers: Child[] = [];
  const startNode = async (cell: string, number: number): Promise<void> => {
    const node = child(`app-server ${cell}-${number}`, 'app-server');
    appServers.push(node);
    await node.start(
      {
        ...common,
        CELLPOST_CELL: cell,
        CELLPOST_NODE: `${cell}-${number}`,
        CELLPOST_COORDINATION: coordination.url(`/cells/${cell}`),
        CELLPOST_LOG_STORE: `sqlite:${join(home, `${cell}.db`)}`,
        CELLPOST_USER_INDEX_URL: userIndexUrl,
      },
      HTTP,
    );
  };
  const smtpSettings: Environment = {
    ...doors,
    CELLPOST_SMTP_HOST: '127.0.0.1',
    CELLPOST_SMTP_PORT: '0',
    CELLPOST_SMTP_HOSTNAME: 'localhost',
  };
  const [smtp, web] = await Promise.all([
    child('mta-proxy', 'mta-proxy').start(smtpSettings, { ...HTTP, smtp: 'CELLPOST_SMTP_PORT' }),
    child('web', 'web').start({ ...doors }, HTTP),
    ...CELLS.flatMap((cell) =>
      Array.from({ length: NODES_PER_CELL }, (_, number) => startNode(cell, number)),
    ),
  ]);
  for (const cell of CELLS)
    await cells.putCell(cell, {
      state: 'Enabled',
      dataCenter: 'here',
      coordination: coordination.url(`/cells/${cell}`),
    });
  const serving = async (): Promise<number> =>
    (await cells.nodes()).filter(({ state }) => state === 'serving').length;
  await until(async () => (await serving()) === appServers.length, {
    timeoutMs: START_DEADLINE_MS,
    what: 'all app servers to serve',
  });
  const running = opened.move();
  return {
    home,
    webUrl: web.url,
    smtpPort: Number(smtp.ports.smtp),
    token: TOKEN,
    discoveryUrl,
    cells,
    coordination,
    discovery,
    appServers,
    child,
    [Symbol.asyncDispose]: () => running.disposeAsync(),
  };
}

/** The last one that can run here. */
async function startCoordination(): Promise<CoordinationServer> {
  for (const server of SERVERS.toReversed())
    if ((await server.missing()) === undefined) {
      console.log(`coordination: ${server.name}`);
      return await server.start();
    }
  throw new Error('There is nothing to coordinate by.');
}
