// Discovery's HTTP API. All of it is for services; answers come from memory, changes go through the coordination.
import express, { type Express, type Response } from 'express';
import { z } from 'zod';
import { cellRecord } from '../common/cell-client/directory-messages.ts';
import type { CellView, Nowhere, Where } from '../common/cell-client/directory.ts';
import type { MapSummary } from '../common/cell-client/map-summary.ts';
import { parseCoordinationUrl } from '../common/coordination/open.ts';
import { ConfigError } from '../common/config/env.ts';
import { hashKey } from '../common/hash.ts';
import { isPlatform } from '../common/http/platform-token.ts';
import { sendProblem } from '../common/http/server.ts';
import { changing, key, parse, RETRY_AFTER_S, unavailable } from './answers.ts';
import type { MapStore } from './map-store.ts';
import { addPlacementRoutes } from './placement-routes.ts';
import type { RingClients } from './ring-clients.ts';
import type { Shedding } from './shedding.ts';
import type { DiscoveryState } from './state.ts';
import type { WatchStreams } from './watch-stream.ts';

const MAX_KEYS = 1_000;
/** A thousand of the longest keys in JSON fit. */
const MAX_BODY = '1mb';

const whereBody = z.object({ keys: z.array(key).max(MAX_KEYS) });
/** A bucket goes to the cell that has the key `near`, if that takes new users. */
const assignBody = z.object({ key, near: key.optional() });
const cellBody = cellRecord.omit({ name: true });
const withDataQuery = z.object({ withData: z.enum(['true', 'false']).default('false') });

export type ApiParts = {
  token: string;
  state: DiscoveryState;
  map: MapStore;
  rings: RingClients;
  streams: WatchStreams;
  shedding: Shedding;
  summary: () => MapSummary;
};

export function addRoutes(app: Express, parts: ApiParts): void {
  const { state, map, rings, streams } = parts;
  const { directory } = state;
  app.use('/v1', (request, response, next) => {
    if (!isPlatform(request.get('authorization'), parts.token)) {
      response.set('WWW-Authenticate', 'Bearer');
      sendProblem(response, 401, 'about:blank', 'This is for services of the platform: show its token.');
    } else if (!state.known) unavailable(response, 'Discovery has no map yet.');
    else next();
  });
  app.use('/v1', parts.shedding.middleware);
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
      const cell = 'cell' in where ? where.cell : undefined;
      return { key: one, error: `urn:cellpost:error:${where.problem}`, cell };
    });
    response.json({ answers });
  });
  app.post(
    '/v1/assign',
    changing(async (request, response) => {
      const asked = parse(assignBody, request.body, response);
      if (!asked) return;
      const placed = directory.where(asked.key);
      if ('problem' in placed && placed.problem === 'unassigned')
        await map.assign(
          hashKey(asked.key).bucket,
          asked.near === undefined ? undefined : directory.cellOf(asked.near),
        );
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
  app.get('/v1/summary', (_request, response) => {
    response.set('Cache-Control', 'no-store').json(parts.summary());
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

function noCell(response: Response, name: string): void {
  sendProblem(response, 404, 'about:blank', `There is no cell ${JSON.stringify(name.slice(0, 100))}.`);
}
