// The processes of a platform as in production: cells of app servers, discovery and the MTA proxy, over a log
// store that the benchmark chooses. `--profile FOLDER` writes a CPU profile of each thread there.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Child } from '../../../embedded/child.ts';
import { startCoordinator } from '../../../embedded/coordinator.ts';
import { openCells, type Cells } from '../../../workloads/common/cell-client/cells.ts';
import { createLogger } from '../../../workloads/common/log.ts';

export type Services = {
  cells: Cells;
  smtpPort: number;
  /** Name -> process. */
  pids: Map<string, number>;
  close(): Promise<void>;
};

export type ServicesOptions = {
  cells: readonly string[];
  /** Of each cell. */
  appServers: number;
  /** CELLPOST_LOG_STORE of a cell; the folder is temporary. */
  logStore: (cell: string, folder: string) => string;
  /** Where each thread writes its CPU profile at its end. */
  profileFolder?: string | undefined;
};

export async function startServices({
  cells: cellNames,
  appServers,
  logStore,
  profileFolder,
}: ServicesOptions): Promise<Services> {
  const home = await mkdtemp(join(tmpdir(), 'cellpost-bench-'));
  await mkdir(join(home, 'logs'));
  const optionsBefore = process.env.NODE_OPTIONS;
  if (profileFolder) process.env.NODE_OPTIONS = `--cpu-prof --cpu-prof-dir=${profileFolder}`;
  const child = (name: string, workload: string): Child =>
    new Child({
      name,
      workload,
      logFile: join(home, 'logs', `${name}.log`),
      onDeath: (line) => console.log(line),
    });
  const discovery = child('discovery', 'discovery');
  const nodes = cellNames.flatMap((cell) =>
    Array.from({ length: appServers }, (_, index) => ({
      cell,
      node: `${cell}-${index}`,
      child: child(`app-server ${cell}-${index}`, 'app-server'),
    })),
  );
  const mtaProxy = child('mta-proxy', 'mta-proxy');
  const children = [mtaProxy, ...nodes.map((node) => node.child), discovery];
  if (optionsBefore === undefined) delete process.env.NODE_OPTIONS;
  else process.env.NODE_OPTIONS = optionsBefore;
  const coordinator = await startCoordinator({
    socketPath: join(home, 'coordinator.sock'),
    dataFile: join(home, 'coordinator.db'),
  });
  let cells: Cells | undefined;
  const close = async (): Promise<void> => {
    await mtaProxy.stop();
    await cells?.close();
    await Promise.all(nodes.map((node) => node.child.stop()));
    await discovery.stop();
    await coordinator.close();
    await rm(home, { recursive: true, force: true });
  };
  try {
    const token = randomBytes(16).toString('hex');
    const common = {
      CELLPOST_HTTP_PORT: '0',
      CELLPOST_PLATFORM_TOKEN: token,
      CELLPOST_BLOB_STORE: `file:${join(home, 'blobs')}`,
      CELLPOST_SESSION_TIMEOUT_MS: '10000',
    };
    const { url } = await discovery.start({
      ...common,
      CELLPOST_COORDINATION: coordinator.url('/discovery'),
    });
    const logger = createLogger('bench', 'silent');
    cells = await openCells({ discoveryUrl: url, token, logger });
    await Promise.all(
      nodes.map((node) =>
        node.child.start({
          ...common,
          CELLPOST_CELL: node.cell,
          CELLPOST_NODE: node.node,
          CELLPOST_COORDINATION: coordinator.url(`/cells/${node.cell}`),
          CELLPOST_LOG_STORE: logStore(node.cell, home),
        }),
      ),
    );
    for (const cell of cellNames) {
      await cells.putCell(cell, {
        state: 'Enabled',
        dataCenter: 'here',
        coordination: coordinator.url(`/cells/${cell}`),
      });
    }
    const { ports } = await mtaProxy.start({
      ...common,
      CELLPOST_DISCOVERY_URL: url,
      CELLPOST_SMTP_PORT: '0',
      CELLPOST_SMTP_HOSTNAME: 'localhost',
    });
    return {
      cells,
      smtpPort: ports.smtp ?? 0,
      pids: new Map(children.map((one) => [one.name, one.pid ?? 0])),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}
