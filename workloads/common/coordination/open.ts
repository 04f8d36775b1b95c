// Opens a coordination session by URL:
//   zookeeper://host:2181,host:2181/chroot
//   local:/path/of/socket?chroot=/cells/a
import { ConfigError } from '../config/env.ts';
import type { Logger } from '../log.ts';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import { CoordinationError, type CoordinationSession, type SessionState } from './coordination.ts';
import type { SessionBase } from './session-base.ts';
import { checkPath, MAX_TIMEOUT_MS, MIN_TIMEOUT_MS } from './limits.ts';

/** How long openCoordination waits for a first connection unless told otherwise. */
const OPEN_DEADLINE_MS = 15_000;

export type OpenOptions = {
  /** The session's timeout that is asked for; the server may grant another. */
  timeoutMs: number;
  /** How long to wait for the first connection. */
  deadlineMs?: number;
  logger?: Logger;
  metrics?: WorkloadMetrics | undefined;
  /** Ends the waiting. */
  signal?: AbortSignal;
};

type Target = { kind: 'zookeeper' | 'local'; address: string; chroot: string };

/**
 * Opens a session and makes the chroot if it is missing. Resolves when connected.
 * @throws ConfigError a URL that is none, or ZooKeeper's client is not installed
 * @throws CoordinationError timeout: nobody answered within the deadline
 */
export async function openCoordination(url: string, options: OpenOptions): Promise<CoordinationSession> {
  const target = parseCoordinationUrl(url);
  if (options.timeoutMs < MIN_TIMEOUT_MS || options.timeoutMs > MAX_TIMEOUT_MS) {
    throw new ConfigError(
      `A coordination session's timeout is ${MIN_TIMEOUT_MS} to ${MAX_TIMEOUT_MS} ms, not ${options.timeoutMs}.`,
    );
  }
  const session = await startSession(target, options);
  try {
    await connected(session, url, options);
    await session.makeChroot();
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** @throws ConfigError */
export function parseCoordinationUrl(url: string): Target {
  const zookeeper = /^zookeeper:\/\/([\w.:,[\]-]+)(\/.*)?$/.exec(url);
  const local = /^local:(\/.*?)(?:\?chroot=(.*))?$/.exec(url);
  const target: Target | undefined = zookeeper
    ? { kind: 'zookeeper', address: zookeeper[1] ?? '', chroot: zookeeper[2] ?? '' }
    : local
      ? { kind: 'local', address: local[1] ?? '', chroot: local[2] ?? '' }
      : undefined;
  if (!target) {
    throw new ConfigError(
      `${url} is no coordination URL: zookeeper://host:2181,host:2181/chroot or local:/socket?chroot=/path is.`,
    );
  }
  if (target.chroot === '/') target.chroot = '';
  try {
    if (target.chroot) checkPath(target.chroot);
  } catch (error) {
    throw new ConfigError(`${url}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return target;
}

async function startSession(target: Target, options: OpenOptions): Promise<SessionBase> {
  const { timeoutMs, logger, metrics } = options;
  const common = { timeoutMs, logger, metrics, chroot: target.chroot };
  if (target.kind === 'local') {
    const { LocalSession } = await import('./local-session.ts');
    return new LocalSession(target.address, common);
  }
  const { loadZooKeeper } = await import('./zookeeper-client.ts');
  const native = await loadZooKeeper();
  const { ZooKeeperSession } = await import('./zookeeper-session.ts');
  return new ZooKeeperSession(native, target.address, common);
}

function connected(session: CoordinationSession, url: string, options: OpenOptions): Promise<void> {
  if (session.state === 'connected') return Promise.resolve();
  const deadlineMs = options.deadlineMs ?? OPEN_DEADLINE_MS;
  return new Promise((resolve, reject) => {
    const finish = (error?: Error): void => {
      clearTimeout(timer);
      off();
      options.signal?.removeEventListener('abort', onAbort);
      if (error) reject(error);
      else resolve();
    };
    const fail = (detail: string): void => finish(new CoordinationError('timeout', `${url}: ${detail}`));
    const timer = setTimeout(() => fail(`no connection within ${deadlineMs} ms.`), deadlineMs);
    const onAbort = (): void => finish(new CoordinationError('closed', `${url}: opening was given up.`));
    const off = session.onState((state: SessionState) => {
      if (state === 'connected') finish();
      else if (state === 'expired' || state === 'closed') fail(`the session is ${state}.`);
    });
    if (options.signal?.aborted) onAbort();
    else options.signal?.addEventListener('abort', onAbort, { once: true });
  });
}
