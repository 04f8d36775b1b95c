// The HTTP listener that every workload has: an express app with limits, health, metrics and a graceful end.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import express, { type ErrorRequestHandler, type Express, type RequestHandler } from 'express';
import type { Logger } from '../log.ts';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import { inRequest, requestIdOf } from '../request-id.ts';

/** Headers must be there within this time, and a whole request within the other: a slow peer holds no socket for long. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 120_000;
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** Sockets at once; more are refused. */
const MAX_CONNECTIONS = 10_000;
/** How long close() waits for requests in flight before it cuts them off. */
const CLOSE_DEADLINE_MS = 5_000;

export type HttpListener = {
  /** `http://host:port`, with the port that was really taken. */
  url: string;
  port: number;
  server: Server;
  /** Stops accepting, ends idle connections, waits for requests in flight, then cuts. May be called twice. */
  close(): Promise<void>;
};

export type HttpOptions = {
  host: string;
  /** 0: any free port. */
  port: number;
  logger: Logger;
  metrics: WorkloadMetrics;
  /** True while this process is worth sending requests to; a string says why it is not. */
  ready: () => true | string;
  /** A measured hot path: gets each request first, and answers it (then it says as which route) or leaves it to the routes. */
  before?: (request: IncomingMessage, response: ServerResponse) => string | undefined;
  /** Routes that last as long as whoever follows them, `GET /path`: their durations say nothing. */
  streams?: readonly string[];
  /** Adds the workload's routes. They come after /healthz, /readyz and /metrics. */
  routes: (app: Express) => void;
};

/** @throws the listener's error, with code EADDRINUSE when the port is taken */
export async function listenHttp(options: HttpOptions): Promise<HttpListener> {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.get('/healthz', (_request, response) => {
    response.type('text/plain').send('ok\n');
  });
  app.get('/readyz', (_request, response) => {
    const ready = options.ready();
    response
      .status(ready === true ? 200 : 503)
      .type('text/plain')
      .send(ready === true ? 'ok\n' : `${ready}\n`);
  });
  app.get('/metrics', async (_request, response) => {
    const { registry } = options.metrics;
    response.type(registry.contentType).send(await registry.metrics());
  });
  const took = options.metrics.requests();
  app.use(follow(options.logger));
  app.use(measure(took, new Set(options.streams)));
  options.routes(app);
  app.use((_request, response) => {
    sendProblem(response, 404, 'about:blank', 'There is nothing here.');
  });
  app.use(errorHandler(options.logger));

  const { before } = options;
  const server = createServer((request, response) => {
    const startedAt = performance.now();
    const route = before?.(request, response);
    if (route === undefined) app(request, response);
    else took(route, response.statusCode, startedAt);
  });
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  options.metrics.queue('http_connections', () => sockets.size, MAX_CONNECTIONS);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : options.port;
  let closing: Promise<void> | undefined;
  return {
    url: `http://${options.host.includes(':') ? `[${options.host}]` : options.host}:${port}`,
    port,
    server,
    close: () => (closing ??= closeServer(server, sockets)),
  };
}

/** Gives the request its id, and tells of its end. */
function follow(logger: Logger): RequestHandler {
  return (request, response, next) => {
    const requestId = requestIdOf(request.headers['x-request-id']);
    response.setHeader('X-Request-Id', requestId);
    if (logger.isLevelEnabled('debug'))
      response.once('close', () => {
        const { method, path } = request;
        logger.debug({ requestId, method, path, status: response.statusCode }, 'request answered');
      });
    inRequest(requestId, next);
  };
}

/** Health and metrics come before it: they are asked by machines, all the time, and would only blur the rest. */
function measure(
  took: ReturnType<WorkloadMetrics['requests']>,
  streams: ReadonlySet<string>,
): RequestHandler {
  return (request, response, next) => {
    const startedAt = performance.now();
    response.once('close', () => {
      const path: unknown = request.route?.path;
      // What belongs to no route is a file of a page, or not there: paths that clients make up are no labels.
      const route = typeof path === 'string' ? `${request.method} ${path}` : 'none';
      if (!streams.has(route)) took(route, response.statusCode, startedAt);
    });
    next();
  };
}

async function closeServer(server: Server, sockets: Set<Socket>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // Node counts a connection that was opened ahead of any request as busy until its headers time out.
  for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  const cut = setTimeout(() => server.closeAllConnections(), CLOSE_DEADLINE_MS);
  await closed;
  clearTimeout(cut);
}

/** What sends a problem: express's response, or anything with its two methods. */
type ProblemSink = {
  status(code: number): ProblemSink;
  type(type: string): ProblemSink;
  send(body: string): unknown;
};

/** Answers with problem details (RFC 9457); JMAP's request-level errors have this form, too (RFC 8620 section 3.6.1). */
export function sendProblem(
  response: ProblemSink,
  status: number,
  type: string,
  detail: string,
  more: Record<string, unknown> = {},
): void {
  response
    .status(status)
    .type('application/problem+json')
    .send(JSON.stringify({ type, status, detail, ...more }));
}

function errorHandler(logger: Logger): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) {
      next(error);
      return;
    }
    // Errors of express's own parsers carry a status and are safe to show.
    const status = statusOf(error);
    if (status < 500) {
      sendProblem(response, status, 'about:blank', error instanceof Error ? error.message : 'Bad request.');
      return;
    }
    logger.error({ err: error, method: request.method, path: request.path }, 'request failed');
    sendProblem(response, 500, 'about:blank', 'Something went wrong here; it has been logged.');
  };
}

function statusOf(error: unknown): number {
  if (typeof error !== 'object' || error === null || !('status' in error)) return 500;
  return typeof error.status === 'number' && error.status >= 400 && error.status < 600 ? error.status : 500;
}
