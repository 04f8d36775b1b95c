// What takes the traces of processes under test: OTLP/HTTP with JSON, on a port of its own.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** As in opentelemetry/proto/trace/v1/trace.proto. */
export type Span = {
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

export function valueOf({ attributes }: Pick<Span, 'attributes'>, key: string): string {
  return attributes.find((attribute) => attribute.key === key)?.value.stringValue ?? '';
}

export class TraceReceiver {
  readonly spans: Span[] = [];
  /** What processes need to send their spans here, soon. */
  env: Record<string, string> = {};
  readonly #server = createServer((request, response) => {
    assert.equal(request.url, '/v1/traces');
    void json(request).then((body) => {
      for (const { resource, scopeSpans } of (body as Export).resourceSpans)
        for (const span of scopeSpans.flatMap((scope) => scope.spans))
          this.spans.push({ ...span, service: valueOf(resource, 'service.name') });
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });

  static async start(): Promise<TraceReceiver> {
    const receiver = new TraceReceiver();
    await new Promise<void>((resolve) => receiver.#server.listen(0, '127.0.0.1', resolve));
    const { port } = receiver.#server.address() as AddressInfo;
    receiver.env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
      OTEL_BSP_SCHEDULE_DELAY: '200',
    };
    return receiver;
  }

  /** The ancestors of a span in what has come, the nearest first. */
  ancestors(span: Span): string[] {
    const parent = this.spans.find(({ spanId }) => spanId === span.parentSpanId);
    return parent ? [`${parent.service} ${parent.name}`, ...this.ancestors(parent)] : [];
  }

  /** The span of a message over SMTP, by what its 250 called it. */
  ofMessage(requestId: string): Span | undefined {
    const isIt = (span: Span): boolean =>
      span.name === 'SMTP message' && valueOf(span, 'cellpost.request_id') === requestId;
    return this.spans.find(isIt);
  }

  /** One of the same trace. */
  inTrace(root: Span, service: string, name: string): Span | undefined {
    return this.spans.find(
      (one) => one.traceId === root.traceId && one.service === service && one.name === name,
    );
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
