// The HTTP listener that every workload has: an express app with limits, health, metrics and a graceful end.
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { Socket } from 'node:net';
import express, { type ErrorRequestHandler, type Express, type Request, type RequestHandler } from 'express';
import type { Logger } from '../log.ts';
import type { WorkloadMetrics } from '../metrics/workload-metrics.ts';
import { NumberMap } from '../number-map.ts';
import { inRequest, requestIdOf } from '../request-id.ts';
import { beginSpan, continuing } from '../tracing.ts';
import { addHealth, addPublicHealth, type HealthOptions, type Verdict } from './health.ts';
import { httpUrl } from './url.ts';

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
  /** The port of health and metrics, if that is another one. */
  adminPort: number | undefined;
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
  ready: () => Verdict;
  /** A string says why this process is of no use any more: a new one is needed. Without it, it is well while it answers. */
  healthy?: () => Verdict;
  /** Requests come from all the world: what they say of traces is not taken over. */
  isPublic?: boolean;
  /** For a workload whose port is public: health and metrics then have this one. 0: any free one. */
  adminPort?: number | undefined;
  /** A measured hot path: gets each request first, and answers it (then it says as which route) or leaves it to the routes. */
  before?: (request: IncomingMessage, response: ServerResponse) => string | undefined;
  /** Routes that last as long as whoever follows them, `GET /path`: their durations say nothing. */
  streams?: readonly string[];
  /** Adds the workload's routes. They come after those of health. */
  routes: (app: Express) => void;
};

/** @throws the listener's error, with code EADDRINUSE when the port is taken */
export async function listenHttp(options: HttpOptions): Promise<HttpListener> {
  const { host, port, adminPort, metrics, ready, healthy = () => true } = options;
  const health = { metrics, healthy, ready };
  const took = metrics.requests();
  const app = httpApp(options, took, (app) =>
    adminPort === undefined ? addHealth(app, health) : addPublicHealth(app, health),
  );
  const { before } = options;
  const door = await listen(host, port, (request, response) => {
    const startedAt = performance.now();
    const route = before?.(request, response);
    if (route === undefined) app(request, response);
    else took(route, response.statusCode, startedAt);
  });
  metrics.queue('http_connections', () => door.sockets.size, MAX_CONNECTIONS);
  const admin = adminPort === undefined ? undefined : await listenAdmin(host, adminPort, health, door);
  let closing: Promise<void> | undefined;
  return {
    url: httpUrl(host, door.port),
    port: door.port,
    adminPort: admin?.port,
    server: door.server,
    close: () =>
      (closing ??= Promise.all([closeDoor(door), admin && closeDoor(admin)]).then(() => undefined)),
  };
}

/** What becomes of a request, but for the socket that it came by. @param first adds routes before all others */
export function httpApp(
  {
    logger,
    isPublic = false,
    streams,
    routes,
  }: Pick<HttpOptions, 'logger' | 'isPublic' | 'streams' | 'routes'>,
  took: ReturnType<WorkloadMetrics['requests']>,
  first: (app: Express) => void = () => undefined,
): Express {
  const app = newApp();
  first(app);
  app.use(follow(logger, isPublic));
  app.use(measure(took, new Set(streams)));
  routes(app);
  app.use((_request, response) => {
    sendProblem(response, 404, 'about:blank', 'There is nothing here.');
  });
  app.use(errorHandler(logger));
  return app;
}

function newApp(): Express {
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  return app;
}

async function listenAdmin(host: string, port: number, health: HealthOptions, main: Door): Promise<Door> {
  const app = newApp();
  addHealth(app, health);
  try {
    return await listen(host, port, app);
  } catch (error) {
    await closeDoor(main);
    throw error;
  }
}

type Door = { server: Server; port: number; sockets: NumberMap<Socket> };

async function listen(host: string, port: number, answer: RequestListener): Promise<Door> {
  const server = createServer(answer);
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  const sockets = new NumberMap<Socket>();
  server.on('connection', (socket) => {
    socket.once('close', sockets.add(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  return { server, sockets, port: typeof address === 'object' && address ? address.port : port };
}

/** Gives the request its id, and tells of its end. */
function follow(logger: Logger, isPublic: boolean): RequestHandler {
  return (request, response, next) => {
    const requestId = requestIdOf(request.headers['x-request-id']);
    response.setHeader('X-Request-Id', requestId);
    if (logger.isLevelEnabled('debug'))
      response.once('close', () => {
        const { method, path } = request;
        logger.debug({ requestId, method, path, status: response.statusCode }, 'request answered');
      });
    const { traceparent } = request.headers;
    inRequest(requestId, () =>
      continuing(isPublic || typeof traceparent !== 'string' ? undefined : traceparent, () => {
        const span = beginSpan(request.method, { kind: 'server' });
        response.once('close', () => {
          span.rename(routeOf(request));
          span.end(response.statusCode >= 500 ? `status ${response.statusCode}` : undefined);
        });
        span.run(next);
      }),
    );
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
      const route = routeOf(request);
      if (!streams.has(route)) took(route, response.statusCode, startedAt);
    });
    next();
  };
}

/** What belongs to no route is a file of a page, or not there: paths that clients make up are no labels. */
function routeOf(request: Request): string {
  const path: unknown = request.route?.path;
  return typeof path === 'string' ? `${request.method} ${path}` : 'none';
}

async function closeDoor({ server, sockets }: Door): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  // Node counts a connection that was opened ahead of any request as busy until its headers time out.
  for (const socket of sockets.values()) if (socket.bytesRead === 0) socket.destroy();
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
