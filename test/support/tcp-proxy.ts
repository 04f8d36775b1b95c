// A TCP relay on 127.0.0.1 that a test can cut, close, slow down or make dumb.
import { connect, createServer, type Socket } from 'node:net';

export type TcpProxy = {
  port: number;
  /** Resets all connections that are open; new ones are taken. */
  cut(): void;
  /** pass: relays; refuse: resets whatever is open, and closes what comes; silent: takes connections and bytes, relays nothing. */
  become(mode: 'pass' | 'refuse' | 'silent'): void;
  /** Each way takes so much longer from now on; the order of bytes stays. */
  lag(ms: number): void;
  close(): Promise<void>;
};

/** @param targetPorts connections go to these in turn */
export async function startTcpProxy(...targetPorts: number[]): Promise<TcpProxy> {
  let turn = 0;
  const sockets = new Set<Socket>();
  let mode: 'pass' | 'refuse' | 'silent' = 'pass';
  let lagMs = 0;
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    return socket;
  };
  const relay = (from: Socket, to: Socket): void => {
    const waiting: { chunk: Buffer; dueAt: number }[] = [];
    const passOn = (): void => {
      for (let first = waiting[0]; first && !to.destroyed; first = waiting[0]) {
        const leftMs = first.dueAt - performance.now();
        if (leftMs > 0) return void setTimeout(passOn, leftMs);
        waiting.shift();
        to.write(first.chunk);
      }
    };
    from.on('data', (chunk: Buffer) => {
      if (mode !== 'pass') return;
      waiting.push({ chunk, dueAt: performance.now() + lagMs });
      if (waiting.length === 1) passOn();
    });
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  };
  const cut = (): void => {
    for (const socket of sockets) {
      // Node never ends after it has reset one that is half open.
      if (socket.readyState === 'open') socket.resetAndDestroy();
      else socket.destroy();
    }
  };
  const server = createServer((client) => {
    keep(client);
    if (mode === 'refuse') {
      // Not reset, as the others: Node never ends after it has reset a socket that it has just taken.
      client.destroy();
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
    lag(ms) {
      lagMs = ms;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      cut();
      await closed;
    },
  };
}
