// Stands in for discovery where only the operator asks it: a map of cells, over HTTP.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

export type DiscoveryStandIn = {
  url: string;
  cells: Map<string, { state: string; coordination: string }>;
  /** How many buckets of users it says each cell has. */
  buckets: number;
  close(): void;
};

export async function standInForDiscovery(): Promise<DiscoveryStandIn> {
  const cells: DiscoveryStandIn['cells'] = new Map();
  const http = createServer((request, response) => {
    const answer = (status: number, value: unknown): void => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    };
    const url = new URL(request.url ?? '', 'http://x');
    const name = url.pathname.split('/').at(-1) ?? '';
    void text(request).then((body) => {
      const record = cells.get(name);
      if (request.method === 'PUT') {
        cells.set(name, JSON.parse(body));
        answer(200, {});
      } else if (request.method === 'DELETE') {
        if (self.buckets > 0 && url.searchParams.get('withData') !== 'true')
          answer(409, { detail: 'In use.' });
        else answer(cells.delete(name) ? 200 : 404, {});
      } else if (record) answer(200, { name, ...record, buckets: self.buckets });
      else answer(404, {});
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const address = http.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const self: DiscoveryStandIn = {
    url: `http://127.0.0.1:${port}`,
    cells,
    buckets: 0,
    close: () => http.close(),
  };
  return self;
}
