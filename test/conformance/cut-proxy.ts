// A proxy between a client and its coordination server, whose connections can be cut without either side's doing.
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** A socket's path or a TCP port on 127.0.0.1. */
type Place = string | number;

export type CutProxy = {
  place: Place;
  /** Breaks all connections; new ones are refused until mend(). */
  cut(): void;
  mend(): void;
  close(): Promise<void>;
};

/** @param listenOn a path, or 0 for any port */
export async function startCutProxy(target: Place, listenOn: Place): Promise<CutProxy> {
  const sockets = new Set<Socket>();
  let whole = true;
  const open = (place: Place): Socket =>
    typeof place === 'string' ? connect(place) : connect(place, '127.0.0.1');
  const keep = (socket: Socket, other: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      other.destroy();
    });
    socket.pipe(other);
  };
  const server = createServer((client) => {
    if (!whole) {
      client.destroy();
      return;
    }
    const upstream = open(target);
    keep(client, upstream);
    keep(upstream, client);
  });
  if (typeof listenOn === 'string') server.listen(listenOn);
  else server.listen(listenOn, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const end = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    place: typeof address === 'object' && address ? address.port : listenOn,
    cut() {
      whole = false;
      end();
    },
    mend() {
      whole = true;
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      end();
      await closed;
    },
  };
}
