// A TCP relay on 127.0.0.1 that a test can cut, close or make dumb.
import { connect, createServer, type Socket } from 'node:net';

export type TcpProxy = {
  port: number;
  /** Resets all connections that are open; new ones are taken. */
  cut(): void;
  /** pass: relays; refuse: resets whatever is open or comes; silent: takes connections and bytes, relays nothing. */
  become(mode: 'pass' | 'refuse' | 'silent'): void;
  close(): Promise<void>;
};

/** @param targetPorts connections go to these in turn */
export async function startTcpProxy(...targetPorts: number[]): Promise<TcpProxy> {
  let turn = 0;
  const sockets = new Set<Socket>();
  let mode: 'pass' | 'refuse' | 'silent' = 'pass';
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const relay = (from: Socket, to: Socket): void => {
    from.on('data', (chunk) => {
      if (mode === 'pass') to.write(chunk);
    });
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  };
  const cut = (): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const server = createServer((client) => {
    keep(client);
    if (mode === 'refuse') {
      client.resetAndDestroy();
      return;
    }
    const target = keep(connect(targetPorts[turn++ % targetPorts.length] ?? 0, '127.0.0.1'));
    relay(client, target);
    relay(target, client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    cut,
    become(next) {
      mode = next;
      if (next === 'refuse') cut();
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
