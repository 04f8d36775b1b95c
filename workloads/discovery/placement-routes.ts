// Where keys and buckets are, changed by whoever moves them.
import type { Express } from 'express';
import { z } from 'zod';
import { BUCKETS } from '../common/cell-client/buckets.ts';
import { CELL_NAME } from '../common/cell-client/directory-messages.ts';
import { changing, key, parse } from './answers.ts';
import { exceptionRecord } from './map-nodes.ts';
import type { MapStore } from './map-store.ts';

const MAX_CHANGES = 1_000;

const cell = z.string().regex(CELL_NAME);
/** Only if the key is in this cell. */
const fromQuery = z.object({ from: cell.optional() });
const moveBody = z.object({ from: cell, to: cell });
const bucketsBody = z.object({
  changes: z
    .array(
      z.object({
        bucket: z
          .number()
          .int()
          .min(0)
          .max(BUCKETS - 1),
        from: cell,
        to: cell,
      }),
    )
    .min(1)
    .max(MAX_CHANGES),
});

export function addPlacementRoutes(app: Express, map: MapStore): void {
  app.get(
    '/v1/exceptions',
    changing(async (_request, response) => {
      const all = await map.exceptions();
      response.json({ exceptions: Array.from(all, ([name, record]) => ({ key: name, ...record })) });
    }),
  );
  app.put(
    '/v1/exceptions/:key',
    changing(async (request, response) => {
      const name = parse(key, request.params.key, response);
      const record = name === undefined ? undefined : parse(exceptionRecord, request.body, response);
      if (name === undefined || !record) return;
      const query = parse(fromQuery, request.query, response);
      if (!query) return;
      await map.putException(name, record, query.from);
      response.json(record);
    }),
  );
  app.delete(
    '/v1/exceptions/:key',
    changing(async (request, response) => {
      const name = parse(key, request.params.key, response);
      if (name === undefined) return;
      const query = parse(fromQuery, request.query, response);
      if (!query) return;
      await map.deleteException(name, query.from);
      response.status(204).end();
    }),
  );
  app.put(
    '/v1/moves/:key',
    changing(async (request, response) => {
      const name = parse(key, request.params.key, response);
      const move = name === undefined ? undefined : parse(moveBody, request.body, response);
      if (name === undefined || !move) return;
      await map.noteMove(name, move);
      response.json(move);
    }),
  );
  app.delete(
    '/v1/moves/:key',
    changing(async (request, response) => {
      const name = parse(key, request.params.key, response);
      if (name === undefined) return;
      await map.forgetMove(name);
      response.status(204).end();
    }),
  );
  app.post(
    '/v1/buckets',
    changing(async (request, response) => {
      const body = parse(bucketsBody, request.body, response);
      if (!body) return;
      await map.changeBuckets(body.changes);
      response.json({ changes: body.changes.length });
    }),
  );
}
