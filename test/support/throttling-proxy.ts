// An HTTP proxy on 127.0.0.1 before a Kubernetes API server that answers for it, to some requests, that it has too much to
// do (429). Answers pass as they come, so that watches work.
import { Agent as HttpsAgent, request as ask } from 'node:https';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { KubeConfig } from '@kubernetes/client-node';

const RETRY_AFTER_SECONDS = 1;
/** Whoever asks again is let through after so many refusals in a row: clients that gave up could not be told from lost requests. */
const MAX_IN_A_ROW = 2;
const REFUSAL = JSON.stringify({
  apiVersion: 'v1',
  kind: 'Status',
  status: 'Failure',
  reason: 'TooManyRequests',
  message: 'Too many requests, please try again later.',
  code: 429,
});

export type ThrottlingProxy = {
  url: string;
  /** `watch cells`, `patch cells/status` → how many requests of this kind were refused. */
  refused: Map<string, number>;
  passed(): number;
  /** Requests that were refused and did not come again, as their kinds. */
  lost(): string[];
  close(): Promise<void>;
};

/** @param share of the requests that are refused; the first one of each kind always is */
export async function startThrottlingProxy(config: KubeConfig, share: number): Promise<ThrottlingProxy> {
  const cluster = config.getCurrentCluster();
  const target = new URL(cluster?.server ?? '');
  const agent = new HttpsAgent({ keepAlive: true, ca: Buffer.from(cluster?.caData ?? '', 'base64') });
  const refused = new Map<string, number>();
  /** Requests that wait to come again, by what they are to do. */
  const waiting = new Map<string, { kind: string; times: number }>();
  let passed = 0;

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await buffer(request);
    const kind = kindOf(request);
    // What is to be is written anew with what has changed since; what is made is made as it was to be.
    const key = `${request.method} ${request.url} ${request.method === 'POST' ? body.toString() : ''}`;
    const times = waiting.get(key)?.times ?? 0;
    if (!refused.has(kind) || (times < MAX_IN_A_ROW && Math.random() < share)) {
      refused.set(kind, (refused.get(kind) ?? 0) + 1);
      waiting.set(key, { kind, times: times + 1 });
      response.writeHead(429, {
        'content-type': 'application/json',
        'retry-after': String(RETRY_AFTER_SECONDS),
      });
      response.end(REFUSAL);
      return;
    }
    passed++;
    waiting.delete(key);
    const { method, url, headers } = request;
    await new Promise<void>((resolve, reject) => {
      const upstream = ask(
        { host: target.hostname, port: target.port, agent, method, path: url, headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          // A watch may have nothing more to say for a long time.
          response.flushHeaders();
          pipeline(answer, response).then(resolve, reject);
        },
      );
      upstream.on('error', reject);
      // Who goes while a watch is silent ends it there, too.
      response.on('close', () => upstream.destroy());
      upstream.end(body);
    });
  };

  const server = createServer((request, response) => {
    // Whoever asked sees that the connection ends.
    serve(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    refused,
    passed: () => passed,
    lost: () => [...waiting.values()].map(({ kind }) => kind),
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      agent.destroy();
    },
  };
}

/** What is asked for, as RBAC sees it: `list cells`, `patch cells/status`, `watch pods`. */
function kindOf({ method = '', url = '' }: IncomingMessage): string {
  const { pathname, searchParams } = new URL(url, 'http://x');
  const parts = pathname.split('/').filter((part) => part !== '');
  const [first, ...rest] = parts.slice(parts[0] === 'api' ? 2 : 3);
  const [resource = first, name, subresource] = first === 'namespaces' ? rest.slice(1) : [first, ...rest];
  const reads = searchParams.has('watch') ? 'watch' : name === undefined ? 'list' : 'get';
  const verb = method === 'GET' ? reads : method.toLowerCase();
  return `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
}
