// The listener: connections in total and per address, and a graceful end.
import { createServer, type Server, type Socket } from 'node:net';
import { NumberMap } from '../../common/number-map.ts';
import { runCommand } from './commands/table.ts';
import { SmtpSession, type SessionOptions } from './session.ts';

export type SmtpListener = {
  host: string;
  port: number;
  /** Sessions open now. */
  sessions(): number;
  /** Stops accepting, lets transactions finish, says 421 to everyone, then cuts. May be called twice. */
  close(): Promise<void>;
};

export type ServerOptions<R> = SessionOptions<R> & {
  host: string;
  /** 0: any free one. */
  port: number;
  /** An error that is none of the client's: the session gets a 421. */
  onError: (error: unknown) => void;
};

/** @throws the listener's error, with code EADDRINUSE when the port is taken */
export async function listenSmtp<R>(options: ServerOptions<R>): Promise<SmtpListener> {
  const { limits } = options;
  const sessions = new NumberMap<SmtpSession<R>>();
  const perAddress = new Map<string, number>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const address = socket.remoteAddress ?? 'unknown';
    const count = perAddress.get(address) ?? 0;
    socket.on('error', () => socket.destroy());
    if (sessions.size >= limits.maxConnections || count >= limits.maxConnectionsPerAddress) {
      refuse(socket, options.hostname);
      return;
    }
    perAddress.set(address, count + 1);
    socket.once('close', () => {
      const left = (perAddress.get(address) ?? 1) - 1;
      if (left > 0) perAddress.set(address, left);
      else perAddress.delete(address);
    });
    const session = new SmtpSession(socket, options);
    const remove = sessions.add(session);
    session.run(runCommand).then(remove, (error: unknown) => {
      remove();
      options.onError(error);
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address();
  let closing: Promise<void> | undefined;
  return {
    host: options.host,
    port: typeof bound === 'object' && bound ? bound.port : options.port,
    sessions: () => sessions.size,
    close: () => (closing ??= closeAll(server, sessions, limits.closeDeadlineMs)),
  };
}

/** For the 421 to arrive, whatever the client is sending meanwhile. */
const REFUSED_LINGER_MS = 1_000;

function refuse(socket: Socket, hostname: string): void {
  socket.end(`421 4.7.0 ${hostname} Too many connections, try again later\r\n`);
  socket.resume();
  const cut = setTimeout(() => socket.destroy(), REFUSED_LINGER_MS);
  socket.once('close', () => clearTimeout(cut));
}

async function closeAll<R>(
  server: Server,
  sessions: NumberMap<SmtpSession<R>>,
  deadlineMs: number,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  for (const session of sessions.values()) session.close();
  const cut = setTimeout(() => {
    for (const session of sessions.values()) session.destroy();
  }, deadlineMs);
  await closed;
  clearTimeout(cut);
}
