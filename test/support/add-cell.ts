// A further cell for an embedded platform that runs: two app servers, registered with discovery, while everything goes on.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Child } from '../../embedded/child.ts';
import { blobStoreUrl } from '../../embedded/home.ts';
import type { Cells } from '../../workloads/common/cell-client/cells.ts';
import { until } from './wait.ts';

const NODES = 2;
const START_DEADLINE_MS = 60_000;
const SESSION_TIMEOUT_MS = 1_500;

/**
 * Resolves when its app servers serve and it is enabled.
 * @param home the platform's data folder
 * @returns what stops its processes; the map still names it then
 */
export async function addCell(home: string, cells: Cells, name: string): Promise<() => Promise<void>> {
  const [present] = await cells.cellRecords();
  if (!present) throw new Error('The platform has no cell.');
  const coordination = present.coordination.replace(/[^/]*$/, name);
  const children = Array.from({ length: NODES }, (_, index) => {
    const node = `${name}-${index}`;
    const logFile = join(home, 'logs', `app-server ${node}.log`);
    return {
      node,
      child: new Child({ name: node, workload: 'app-server', logFile, onDeath: () => undefined }),
    };
  });
  const stop = async (): Promise<void> => {
    await Promise.all(children.map(({ child }) => child.stop()));
  };
  try {
    await Promise.all(
      children.map(({ node, child }) =>
        child.start(
          {
            CELLPOST_HTTP_HOST: '127.0.0.1',
            CELLPOST_HTTP_PORT: '0',
            CELLPOST_PLATFORM_TOKEN: readFileSync(join(home, 'token'), 'utf8').trim(),
            CELLPOST_BLOB_STORE: blobStoreUrl(home),
            CELLPOST_SESSION_TIMEOUT_MS: String(SESSION_TIMEOUT_MS),
            CELLPOST_CELL: name,
            CELLPOST_NODE: node,
            CELLPOST_COORDINATION: coordination,
            CELLPOST_LOG_STORE: `sqlite:${join(home, 'cells', `${name}.db`)}`,
          },
          { http: 'CELLPOST_HTTP_PORT' },
        ),
      ),
    );
    await cells.putCell(name, { state: 'Enabled', dataCenter: present.dataCenter, coordination });
    await until(
      async () => {
        const serving = (await cells.nodes()).filter(
          ({ cell, state }) => cell === name && state === 'serving',
        );
        return serving.length === NODES;
      },
      { timeoutMs: START_DEADLINE_MS, what: `cell ${name} to serve` },
    );
    return stop;
  } catch (error) {
    await stop();
    throw error;
  }
}
