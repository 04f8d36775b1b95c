// The embedded platform's stand-in for ZooKeeper: sessions, ephemeral nodes, versions and one-shot watches over a unix
// domain socket. Persistent nodes are on disk before they are acknowledged; sessions do not outlive this process.
import { chmodSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server } from 'node:net';
import { ConfigError } from '../workloads/common/config/env.ts';
import { Connection } from './coordinator/connection.ts';
import { NodeFile } from './coordinator/node-file.ts';
import { Sessions } from './coordinator/sessions.ts';
import { Tree } from './coordinator/tree.ts';

const MAX_CONNECTIONS = 1_000;
/** How exactly expiry is kept. */
const TICK_MS = 25;

export type Coordinator = {
  /** What CELLPOST_COORDINATION takes: `local:<socket>?chroot=<chroot>`. */
  url(chroot: string): string;
  /** Ends every connection. Its sessions end with it. */
  close(): Promise<void>;
};

/**
 * @param options.socketPath is made with mode 0600; a dead one of an earlier run is replaced
 * @throws ConfigError when another coordinator listens there, or the file can't be used
 */
export async function startCoordinator(options: {
  socketPath: string;
  dataFile: string;
}): Promise<Coordinator> {
  const { socketPath } = options;
  if (await isListening(socketPath)) throw new ConfigError(`Another coordinator listens on ${socketPath}.`);
  const file = new NodeFile(options.dataFile);
  const connections = new Set<Connection>();
  const tree = new Tree(file, (event) => {
    for (const connection of connections) connection.notify(event);
  });
  const sessions = new Sessions(TICK_MS, (session) => {
    for (const path of session.ephemerals) {
      if (tree.stat(path)?.ephemeralOwner === session.id) tree.delete(path, undefined);
    }
  });
  const server = createServer((socket) => {
    connections.add(new Connection(socket, tree, sessions, (connection) => connections.delete(connection)));
  });
  server.maxConnections = MAX_CONNECTIONS;
  try {
    await listen(server, socketPath);
  } catch (error) {
    sessions.close();
    file.close();
    throw error;
  }
  let closing: Promise<void> | undefined;
  const close = async (): Promise<void> => {
    sessions.close();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const connection of connections) connection.close();
    await closed;
    file.close();
  };
  return {
    url: (chroot) => `local:${socketPath}?chroot=${chroot}`,
    close: () => (closing ??= close()),
  };
}

async function listen(server: Server, socketPath: string): Promise<void> {
  rmSync(socketPath, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    // The socket is bound within this call: nobody else can connect in the moment before the chmod.
    const mask = process.umask(0o177);
    try {
      server.listen(socketPath, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
  chmodSync(socketPath, 0o600);
}

function isListening(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
