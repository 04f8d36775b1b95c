// An API server that has too much to do: what it relays to the real one it first refuses, now and then, with 429.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { pipeline } from 'node:stream/promises';
import type { KubeConfig } from '@kubernetes/client-node';
import { Agent, request, type Dispatcher } from 'undici';

export type BusyApi = {
  /** Without TLS; the token of whoever asks goes on to the real one. */
  url: string;
  /** How many requests were refused, by what they were: list, watch, PATCH … */
  refused: Map<string, number>;
  close(): Promise<void>;
};

/** @param oneOf of so many requests of a kind one is refused, the first among them */
export async function startBusyApi(config: KubeConfig, oneOf: number): Promise<BusyApi> {
  const cluster = config.getCurrentCluster();
  if (!cluster) throw new Error('The kubeconfig names no cluster.');
  const ca = Buffer.from(cluster.caData ?? '', 'base64').toString();
  const agent = new Agent({ connect: { ca }, bodyTimeout: 0 });
  const asked = new Map<string, number>();
  const refused = new Map<string, number>();
  const count = (counts: Map<string, number>, what: string): number => {
    const before = counts.get(what) ?? 0;
    counts.set(what, before + 1);
    return before;
  };
  const answer = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const what = kindOf(incoming);
    if (count(asked, what) % oneOf === 0) {
      count(refused, what);
      response.writeHead(429, { 'retry-after': '1' }).end('too many requests');
      return;
    }
    const { host: _host, connection: _connection, ...headers } = incoming.headers;
    const relayed = await request(`${cluster.server}${incoming.url ?? ''}`, {
      method: (incoming.method ?? 'GET') as Dispatcher.HttpMethod,
      headers,
      ...(incoming.method !== 'GET' && { body: incoming }),
      dispatcher: agent,
    });
    response.writeHead(relayed.statusCode, relayed.headers);
    response.flushHeaders();
    await pipeline(relayed.body, response);
  };
  const server = createServer((incoming, response) => {
    answer(incoming, response).catch(() => response.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    refused,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
      await agent.destroy();
    },
  };
}

function kindOf({ method = 'GET', url = '' }: IncomingMessage): string {
  if (method !== 'GET') return method;
  return new URL(url, 'http://x').searchParams.has('watch') ? 'watch' : 'list';
}
