// The processes of an embedded platform: cells of two app servers each, discovery, the user index, the counts, the MTA proxy and the web door,
// around the coordinator inside this process.
import { join } from 'node:path';
import { openCells, type Cells } from '../workloads/common/cell-client/cells.ts';
import { ConfigError, type Environment } from '../workloads/common/config/env.ts';
import { createLogger } from '../workloads/common/log.ts';
import { Child } from './child.ts';
import { startCoordinator } from './coordinator.ts';
import { DEMO_PASSWORD, DEMO_USERS } from './demo-users.ts';
import { blobStoreUrl, type Home, type PlatformNote } from './home.ts';
import { CELL_NAMES, type Settings } from './settings.ts';

const HOST = '127.0.0.1';
const DATA_CENTER = 'here';

export type Platform = {
  note: PlatformNote;
  cells: Cells;
  close(): Promise<void>;
};

/** @throws ConfigError with a sentence for people: a port in use, a data folder of a newer format … */
export async function startPlatform(
  settings: Settings,
  home: Home,
  say: (line: string) => void,
): Promise<Platform> {
  const makeChild = (name: string, workload: string): Child =>
    new Child({ name, workload, logFile: join(home.path, 'logs', `${name}.log`), onDeath: say });
  // All at once: loading code is what takes the time, and they wait for their environment when they have.
  const discovery = makeChild('discovery', 'discovery');
  const cellNames = CELL_NAMES.slice(0, settings.cells);
  const nodes = cellNames.flatMap((cell) =>
    Array.from({ length: settings.appServers }, (_, index) => ({
      cell,
      node: `${cell}-${index}`,
      child: makeChild(`app-server ${cell}-${index}`, 'app-server'),
    })),
  );
  const mtaProxy = makeChild('mta-proxy', 'mta-proxy');
  const web = makeChild('web', 'web');
  const userIndex = makeChild('user-index', 'user-index');
  const memcacheDirty = makeChild('memcache-dirty', 'memcache-dirty');
  const watcher = makeChild('console', 'console');
  const children = [
    watcher,
    web,
    mtaProxy,
    userIndex,
    memcacheDirty,
    ...nodes.map((node) => node.child),
    discovery,
  ];

  const coordinator = await startCoordinator({
    socketPath: home.socketPath,
    dataFile: join(home.path, 'coordinator.db'),
  });
  let cells: Cells | undefined;
  const common: Environment = {
    CELLPOST_HTTP_HOST: HOST,
    CELLPOST_HTTP_PORT: '0',
    CELLPOST_LOG_LEVEL: settings.logLevel,
    CELLPOST_PLATFORM_TOKEN: home.token,
    CELLPOST_BLOB_STORE: blobStoreUrl(home.path),
    CELLPOST_SESSION_TIMEOUT_MS: String(settings.sessionTimeoutMs),
  };
  try {
    const found = await discovery.start(
      {
        ...common,
        CELLPOST_HTTP_PORT: String(settings.discoveryPort),
        CELLPOST_COORDINATION: coordinator.url('/discovery'),
        CELLPOST_STATE_DIR: join(home.path, 'discovery'),
      },
      { http: 'CELLPOST_HTTP_PORT' },
    );
    const doors = { ...common, CELLPOST_DISCOVERY_URL: found.url };
    // Its listener is open at once; it hears of the cells by and by.
    const index = await userIndex.start({ ...doors }, { http: 'CELLPOST_HTTP_PORT' });
    const appServers = nodes.map(({ cell, node, child }) =>
      child.start(
        {
          ...common,
          CELLPOST_CELL: cell,
          CELLPOST_NODE: node,
          CELLPOST_COORDINATION: coordinator.url(`/cells/${cell}`),
          CELLPOST_LOG_STORE: `sqlite:${join(home.path, 'cells', `${cell}.db`)}`,
          CELLPOST_USER_INDEX_URL: index.url,
          CELLPOST_USER_INDEX_TIMEOUT_MS: settings.userIndexTimeoutMs,
        },
        { http: 'CELLPOST_HTTP_PORT' },
      ),
    );
    cells = await openCells({
      discoveryUrl: found.url,
      token: home.token,
      logger: createLogger('embedded', 'silent'),
    });
    for (const cell of cellNames) {
      await cells.putCell(cell, {
        state: 'Enabled',
        dataCenter: DATA_CENTER,
        coordination: coordinator.url(`/cells/${cell}`),
      });
    }
    const startCounts = memcacheDirty.start(
      { ...doors, CELLPOST_MEMCACHED: settings.memcached },
      { http: 'CELLPOST_HTTP_PORT' },
    );
    const [counts, smtp, http] = await Promise.all([
      startCounts,
      hinted(
        'CELLPOST_SMTP_PORT',
        mtaProxy.start(
          {
            ...doors,
            ...settings.mail,
            CELLPOST_SMTP_HOST: HOST,
            CELLPOST_SMTP_PORT: String(settings.smtpPort),
            CELLPOST_SMTP_HOSTNAME: 'localhost',
          },
          { http: 'CELLPOST_HTTP_PORT', smtp: 'CELLPOST_SMTP_PORT' },
        ),
      ),
      hinted(
        'CELLPOST_HTTP_PORT',
        startCounts.then(({ url }) =>
          web.start(
            {
              ...doors,
              CELLPOST_COUNTS_URL: url,
              CELLPOST_HTTP_PORT: String(settings.httpPort),
              CELLPOST_DEMO: `${DEMO_USERS.join(',')} ${DEMO_PASSWORD}`,
            },
            { http: 'CELLPOST_HTTP_PORT' },
          ),
        ),
      ),
    ]);
    await Promise.all(appServers);
    const processes = {
      discovery,
      'mta-proxy': mtaProxy,
      web,
      'user-index': userIndex,
      'memcache-dirty': memcacheDirty,
    };
    const { url: consoleUrl } = await hinted(
      'CELLPOST_CONSOLE_PORT',
      watcher.start(
        {
          ...doors,
          CELLPOST_HTTP_PORT: String(settings.consolePort),
          CELLPOST_CONSOLE_INTERVAL_MS: settings.consoleIntervalMs,
          CELLPOST_CONSOLE_TARGETS: Object.entries(processes)
            .map(([name, child]) => `${name}=${child.started?.url}`)
            .join(','),
        },
        { http: 'CELLPOST_HTTP_PORT' },
      ),
    );
    const opened = cells;
    return {
      cells: opened,
      note: {
        pid: process.pid,
        discoveryUrl: found.url,
        webUrl: http.url,
        userIndexUrl: index.url,
        countsUrl: counts.url,
        mtaProxyUrl: smtp.url,
        consoleUrl,
        smtp: { host: HOST, port: smtp.ports.smtp ?? settings.smtpPort },
      },
      async close() {
        // Who only looks, then doors, then who stores, then who knows the way.
        await watcher.stop();
        await Promise.all([web.stop(), mtaProxy.stop(), userIndex.stop(), memcacheDirty.stop()]);
        await opened.close();
        await Promise.all(nodes.map((node) => node.child.stop()));
        await discovery.stop();
        await coordinator.close();
      },
    };
  } catch (error) {
    for (const child of children) child.kill();
    await cells?.close();
    await coordinator.close();
    throw error;
  }
}

/** Adds to "port in use" what can be done about it. */
async function hinted<T>(variable: string, started: Promise<T>): Promise<T> {
  try {
    return await started;
  } catch (error) {
    if (error instanceof ConfigError && error.message.includes('in use')) {
      throw new ConfigError(`${error.message} Set ${variable} to another one (0: any free one).`);
    }
    throw error;
  }
}
