// Discovery's HTTP API. All of it is for services; answers come from memory, changes go through the coordination.
import express, { type Express, type Request, type RequestHandler, type Response } from 'express';
import { z } from 'zod';
import { cellRecord } from '../common/cell-client/directory-messages.ts';
import type { CellView, Nowhere, Where } from '../common/cell-client/directory.ts';
import { parseCoordinationUrl } from '../common/coordination/open.ts';
import { ConfigError } from '../common/config/env.ts';
import { hashKey } from '../common/hash.ts';
import { isPlatform } from '../common/http/platform-token.ts';
import { sendProblem } from '../common/http/server.ts';
import { CellInUse, CoordinationAway, Misplaced, NoEnabledCell } from './errors.ts';
import type { MapStore } from './map-store.ts';
import { addPlacementRoutes } from './placement-routes.ts';
import type { RingClients } from './ring-clients.ts';
import type { DiscoveryState } from './state.ts';
import type { WatchStreams } from './watch-stream.ts';

/** The longest key: `address:` and the longest address, with room to spare. */
const MAX_KEY_LENGTH = 512;
const MAX_KEYS = 1_000;
/** A thousand of the longest keys in JSON fit. */
const MAX_BODY = '1mb';
/** When to ask again: a ring mostly changes within a session timeout; a disabled cell stays so for a while. */
const RETRY_AFTER_S = { 'no-node': 1, 'cell-disabled': 30, unavailable: 2 } as const;

export const key = z.string().min(1).max(MAX_KEY_LENGTH);
const whereBody = z.object({ keys: z.array(key).max(MAX_KEYS) });
const assignBody = z.object({ key });
const cellBody = cellRecord.omit({ name: true });
const withDataQuery = z.object({ withData: z.enum(['true', 'false']).default('false') });

export type ApiParts = {
  token: string;
  state: DiscoveryState;
  map: MapStore;
  rings: RingClients;
  streams: WatchStreams;
  measure: RequestHandler;
};

export function addRoutes(app: Express, parts: ApiParts): void {
  const { state, map, rings, streams } = parts;
  const { directory } = state;
  app.use('/v1', parts.measure, (request, response, next) => {
    if (!isPlatform(request.get('authorization'), parts.token)) {
      response.set('WWW-Authenticate', 'Bearer');
      sendProblem(response, 401, 'about:blank', 'This is for services of the platform: show its token.');
    } else if (!state.known) unavailable(response, 'Discovery has no map yet.');
    else next();
  });
  app.use('/v1', express.json({ limit: MAX_BODY }));

  const describeCell = (view: CellView, buckets: Map<string, number>): Record<string, unknown> => {
    const { ring, ...record } = view;
    return {
      ...record,
      buckets: buckets.get(view.name) ?? 0,
      ringVersion: ring?.version ?? null,
      ...rings.status(view.name),
      nodes: ring?.members ?? [],
    };
  };

  app.get('/v1/where', (request, response) => {
    const asked = parse(z.object({ key }), request.query, response);
    if (asked) sendWhere(response, asked.key, directory.where(asked.key));
  });
  app.post('/v1/where', (request, response) => {
    const asked = parse(whereBody, request.body, response);
    if (!asked) return;
    const answers = asked.keys.map((one) => {
      const where = directory.where(one);
      if (!('problem' in where)) return where;
      const { problem, ...rest } = where;
      return { key: one, error: `urn:cellpost:error:${problem}`, ...rest };
    });
    response.json({ answers });
  });
  app.post(
    '/v1/assign',
    changing(async (request, response) => {
      const asked = parse(assignBody, request.body, response);
      if (!asked) return;
      const placed = directory.where(asked.key);
      if ('problem' in placed && placed.problem === 'unassigned') await map.assign(hashKey(asked.key).bucket);
      const where = directory.where(asked.key);
      if ('problem' in where && where.problem === 'unassigned')
        unavailable(response, 'The bucket was assigned, but this discovery has not seen it yet.');
      else
        response.json({
          key: asked.key,
          bucket: hashKey(asked.key).bucket,
          cell: where.cell,
          mapVersion: directory.mapVersion,
        });
    }),
  );
  app.get('/v1/map', (_request, response) => {
    response.json({ mapVersion: directory.mapVersion, ...directory.buckets.encode() });
  });
  app.get('/v1/watch', (request, response) => streams.open(request, response));

  addPlacementRoutes(app, map);

  app.get('/v1/cells', (_request, response) => {
    const buckets = directory.buckets.counts();
    response.json({ cells: directory.cells().map((view) => describeCell(view, buckets)) });
  });
  app.get('/v1/cells/:name', (request, response) => {
    const view = directory.cell(request.params.name);
    if (view) response.json(describeCell(view, directory.buckets.counts()));
    else noCell(response, request.params.name);
  });
  app.put(
    '/v1/cells/:name',
    changing(async (request, response) => {
      const body = parse(cellBody, request.body, response);
      const record = body && parse(cellRecord, { ...body, name: request.params.name }, response);
      if (!record) return;
      try {
        parseCoordinationUrl(record.coordination);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        sendProblem(response, 400, 'about:blank', error.message);
        return;
      }
      const made = await map.putCell(record);
      response.status(made ? 201 : 200).json(record);
    }),
  );
  app.delete(
    '/v1/cells/:name',
    changing(async (request, response) => {
      const query = parse(withDataQuery, request.query, response);
      if (!query) return;
      const name = String(request.params.name);
      if (await map.forgetCell(name, query.withData === 'true')) response.status(204).end();
      else noCell(response, name);
    }),
  );
}

/** Turns what a change can fail of into answers. */
export function changing(work: (request: Request, response: Response) => Promise<void>): RequestHandler {
  return async (request, response) => {
    try {
      await work(request, response);
    } catch (error) {
      if (error instanceof CellInUse)
        sendProblem(response, 409, 'urn:cellpost:error:cell-in-use', error.message, {
          buckets: error.buckets,
        });
      else if (error instanceof Misplaced)
        sendProblem(response, 409, 'urn:cellpost:error:misplaced', error.message);
      else if (error instanceof NoEnabledCell) {
        response.set('Retry-After', String(RETRY_AFTER_S.unavailable));
        sendProblem(response, 503, 'urn:cellpost:error:no-cell', error.message);
      } else if (error instanceof CoordinationAway) unavailable(response, error.message);
      else throw error;
    }
  };
}

function sendWhere(response: Response, asked: string, where: Where | Nowhere): void {
  if (!('problem' in where)) {
    response.json(where);
    return;
  }
  const type = `urn:cellpost:error:${where.problem}`;
  if (where.problem === 'unassigned') {
    sendProblem(response, 404, type, `${asked} is in no cell.`, { bucket: hashKey(asked).bucket });
    return;
  }
  response.set('Retry-After', String(RETRY_AFTER_S[where.problem]));
  const why =
    where.problem === 'cell-disabled' ? `is ${where.state}` : 'has no app server that serves at the moment';
  sendProblem(response, 503, type, `Cell ${where.cell} ${why}.`, { cell: where.cell });
}

function unavailable(response: Response, detail: string): void {
  response.set('Retry-After', String(RETRY_AFTER_S.unavailable));
  sendProblem(response, 503, 'urn:cellpost:error:unavailable', detail);
}

function noCell(response: Response, name: string): void {
  sendProblem(response, 404, 'about:blank', `There is no cell ${JSON.stringify(name.slice(0, 100))}.`);
}

/** @returns undefined when the value is refused; that has been answered then */
export function parse<T extends z.ZodType>(
  schema: T,
  value: unknown,
  response: Response,
): z.infer<T> | undefined {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    (issue) => `${issue.path.join('.') || 'the body'}: ${issue.message}`,
  );
  sendProblem(response, 400, 'about:blank', problems.join('; '));
  return undefined;
}
