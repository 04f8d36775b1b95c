// A client's stream over several upstreams, each of them a script of what an app server sends.
import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, it } from 'node:test';
import express from 'express';
import { keepEventStream, type Upstream } from './event-stream.ts';

const state = (id: string): string => `event: state\nid: ${id}\ndata: {}\n\n`;

function upstream(status: number, ...chunks: string[]): Upstream {
  return { status, headers: {}, body: Readable.from(chunks.map((chunk) => Buffer.from(chunk))) };
}

/** Serves one stream that opens these upstreams in turn. @returns what the client got, and the ids that were asked from */
async function run(
  upstreams: (Upstream | 'refused')[],
  closeAfterState = false,
): Promise<{ status: number; text: string; askedFrom: (string | undefined)[] }> {
  const app = express();
  const closing = new AbortController();
  const askedFrom: (string | undefined)[] = [];
  app.get('/', async (_request, response) => {
    const refusal = await keepEventStream(response, {
      open: async (lastEventId) => {
        askedFrom.push(lastEventId);
        const next = upstreams.shift();
        if (next === 'refused') throw new Error('connection refused');
        if (next) return next;
        closing.abort();
        throw new Error('no more');
      },
      closeAfterState,
      lastEventId: undefined,
      signal: closing.signal,
    });
    if (refusal) response.status(refusal.status).end('refused');
  });
  const server = app.listen(0, '127.0.0.1');
  try {
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const response = await fetch(`http://127.0.0.1:${port}/`);
    return { status: response.status, text: await response.text(), askedFrom };
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

describe('an event stream', () => {
  it('goes on at the next upstream, from the last event on', async () => {
    const { status, text, askedFrom } = await run([
      upstream(200, 'id: 0\n\n', state('1'), state('2')),
      'refused',
      upstream(503, 'busy'),
      upstream(200, state('3')),
    ]);
    assert.equal(status, 200);
    assert.equal(text, `id: 0\n\n${state('1')}${state('2')}${state('3')}`);
    assert.deepEqual(askedFrom, [undefined, '2', '2', '2', '3']);
  });

  it('passes on whole events only, however they are cut', async () => {
    const [first, second] = [state('1'), state('2')];
    const { text, askedFrom } = await run([
      upstream(200, first.slice(0, 9), first.slice(9), second.slice(0, 20)),
      upstream(200, second),
    ]);
    assert.equal(text, first + second);
    assert.deepEqual(askedFrom, [undefined, '1', '2']);
  });

  it('keeps it to itself that an app server gives the user away', async () => {
    const { text } = await run([
      upstream(200, state('1'), 'event: end\ndata: {"reason":"moved"}\n\n'),
      upstream(200, state('2')),
    ]);
    assert.equal(text, state('1') + state('2'));
  });

  it('ends after the first state when the client asked for that', async () => {
    const { text, askedFrom } = await run(
      [upstream(200, 'event: ping\ndata: {}\n\n', state('1'), state('2'))],
      true,
    );
    assert.equal(text, `event: ping\ndata: {}\n\n${state('1')}`);
    assert.equal(askedFrom.length, 1);
  });

  it('shows a refusal as it is, and ends when one comes later', async () => {
    assert.equal((await run([upstream(400, 'no')])).status, 400);
    const { status, text, askedFrom } = await run([upstream(200, state('1')), upstream(401, 'no')]);
    assert.equal(status, 200);
    assert.equal(text, state('1'));
    assert.equal(askedFrom.length, 2);
  });
});
