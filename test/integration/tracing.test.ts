// One mail makes one trace, over all processes that work on it. What takes the traces here speaks OTLP/HTTP with JSON.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import nodemailer from 'nodemailer';
import { openJmap } from '../support/jmap.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

/** As in opentelemetry/proto/trace/v1/trace.proto. */
type Span = {
  service: string;
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes: { key: string; value: { stringValue?: string } }[];
};
type Export = {
  resourceSpans: { resource: Pick<Span, 'attributes'>; scopeSpans: { spans: Span[] }[] }[];
};

const WAIT = { timeoutMs: 20_000, what: 'the trace' };

const spans: Span[] = [];
let receiver: Server;
let platform: PlatformUnderTest;

const valueOf = ({ attributes }: Pick<Span, 'attributes'>, key: string): string =>
  attributes.find((attribute) => attribute.key === key)?.value.stringValue ?? '';

before(async () => {
  receiver = createServer((request, response) => {
    assert.equal(request.url, '/v1/traces');
    void json(request).then((body) => {
      for (const { resource, scopeSpans } of (body as Export).resourceSpans)
        for (const span of scopeSpans.flatMap((scope) => scope.spans))
          spans.push({ ...span, service: valueOf(resource, 'service.name') });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  const { port } = receiver.address() as AddressInfo;
  platform = await startPlatform({
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    OTEL_BSP_SCHEDULE_DELAY: '200',
    // Mail from this machine is checked, too.
    CELLPOST_TRUSTED_NETWORKS: 'none',
  });
});

after(async () => {
  await platform[Symbol.asyncDispose]();
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
});

/** The ancestors of a span in what has come, the nearest first. */
function ancestors(span: Span): string[] {
  const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
  return parent ? [`${parent.service} ${parent.name}`, ...ancestors(parent)] : [];
}

test('one mail makes one trace with the spans of the MTA proxy and of the app server, one below the other', async () => {
  const transport = nodemailer.createTransport({ host: '127.0.0.1', port: platform.smtpPort, secure: false });
  const mail = { from: 'you@example.org', to: 'alice@cellpost.test', subject: 'traced', text: 'x' };
  const { response } = await transport.sendMail(mail);
  transport.close();
  const id = /Stored as (\S+)/.exec(response)?.[1];
  const root = await until(
    () => spans.find((span) => span.name === 'SMTP message' && valueOf(span, 'cellpost.request_id') === id),
    WAIT,
  );
  assert.equal(root.service, 'cellpost-mta-proxy');
  const inTrace = (service: string, name: string): Span | undefined =>
    spans.find((one) => one.traceId === root.traceId && one.service === service && one.name === name);
  const stored = await until(() => inTrace('cellpost-app-server', 'sqlite append'), WAIT);
  await until(() => ['parse', 'authenticate'].every((name) => inTrace('cellpost-mta-proxy', name)), WAIT);
  await until(() => ancestors(stored).length >= 5, WAIT);
  assert.deepEqual(ancestors(stored), [
    'cellpost-app-server append',
    'cellpost-app-server delivery',
    'cellpost-mta-proxy call app server',
    'cellpost-mta-proxy deliver',
    'cellpost-mta-proxy SMTP message',
  ]);
});

test('a request of a client goes on at the app server, down to its methods', async () => {
  const alice = await openJmap(platform.webUrl, 'alice@cellpost.test', 'demo');
  await alice.subjects('inbox');
  const query = await until(() => spans.find(({ name }) => name === 'Email/query'), WAIT);
  await until(() => ancestors(query).length >= 3, WAIT);
  assert.deepEqual(ancestors(query), [
    'cellpost-app-server POST /users/:userId/jmap/api',
    'cellpost-web call app server',
    'cellpost-web POST /jmap/api',
  ]);
});
