// Tracing by OpenTelemetry: spans go in batches over OTLP/HTTP to whom the environment names. Loaded by tracing.ts only then.
import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, NodeTracerProvider } from '@opentelemetry/sdk-trace-node';
import type { Environment } from './config/env.ts';
import { currentRequestId } from './request-id.ts';
import type { OpenSpan, Place, SpanOptions, Tracing } from './tracing.ts';

/** A receiver that is away must not hold up the end of a process. */
const CLOSE_DEADLINE_MS = 3_000;
const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT } as const;

/** Exporter, batches and sampler read their standard variables themselves. */
export function openTelemetry(workload: string, env: Environment): Tracing {
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({
      'service.name': env.OTEL_SERVICE_NAME ?? `cellpost-${workload}`,
      'service.version': env.CELLPOST_VERSION ?? 'dev',
      'service.instance.id': env.CELLPOST_NODE ?? `${workload}-${process.pid}`,
    }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  // Also sets the propagator of W3C Trace Context, and keeps the context over asynchronous calls.
  provider.register();
  const tracer = provider.getTracer('cellpost');
  return {
    begin(name, { kind, attributes, parent, links = [] }: SpanOptions): OpenSpan {
      const requestId = currentRequestId();
      const at = parent ? contextOf(parent) : context.active();
      const span = tracer.startSpan(
        name,
        {
          kind: kind ? KINDS[kind] : SpanKind.INTERNAL,
          attributes: { ...attributes, ...(requestId !== undefined && { 'cellpost.request_id': requestId }) },
          links: links.flatMap((link) => {
            const linked = trace.getSpanContext(contextOf(link));
            return linked ? [{ context: linked }] : [];
          }),
        },
        at,
      );
      const inside = trace.setSpan(at, span);
      return {
        run: (work) => context.with(inside, work),
        rename: (other) => void span.updateName(other),
        end(error) {
          if (error !== undefined) {
            const message = error instanceof Error ? error.message : String(error);
            span.setStatus({ code: SpanStatusCode.ERROR, message });
          }
          span.end();
        },
      };
    },
    place: () => ({ tracePlace: context.active() }),
    headers() {
      const carrier: Record<string, string> = {};
      propagation.inject(context.active(), carrier);
      return carrier;
    },
    continuing: (traceparent, work) => context.with(propagation.extract(ROOT_CONTEXT, { traceparent }), work),
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, CLOSE_DEADLINE_MS);
      });
      await Promise.race([provider.shutdown().catch(() => undefined), late]);
      clearTimeout(timer);
    },
  };
}

/** Places are made above only. */
const contextOf = (place: Place): Context => place.tracePlace as Context;
