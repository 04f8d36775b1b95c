// Traces, when somebody wants them: OTEL_EXPORTER_OTLP_ENDPOINT names who takes them, and nothing of OpenTelemetry is loaded
// otherwise. Everything that is measured here works just the same without; a span then costs one comparison.
import type { Environment } from './config/env.ts';

/** Where a span stands: what is begun there is part of it. */
export type Place = { readonly tracePlace: unknown };

export type SpanOptions = {
  /** 'server': the first of a process for a request from outside; 'client': a call to another process. */
  kind?: 'server' | 'client';
  attributes?: Record<string, string | number>;
  /** Where it is begun; here, unless told. */
  parent?: Place | undefined;
  /** Other requests that the same work is done for. */
  links?: readonly Place[];
};

export interface OpenSpan {
  /** Runs work as part of the span. */
  run<T>(work: () => T): T;
  rename(name: string): void;
  /** @param error why it failed */
  end(error?: unknown): void;
}

/** What open-telemetry.ts provides. */
export interface Tracing {
  begin(name: string, options: SpanOptions): OpenSpan;
  place(): Place | undefined;
  /** The headers (W3C Trace Context) by which another process goes on here. */
  headers(): Record<string, string>;
  /** Runs work as part of what another process has begun. */
  continuing<T>(traceparent: string, work: () => T): T;
  /** Sends what is left; does not wait for ever. */
  close(): Promise<void>;
}

const NO_SPAN: OpenSpan = { run: (work) => work(), rename: () => undefined, end: () => undefined };
const NO_TRACING = { close: () => Promise.resolve() };

let tracing: Tracing | undefined;

/**
 * To be called once in a process, before its service starts.
 * @param workload its name, `app-server`
 * @param env the standard variables of OpenTelemetry: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER …
 */
export async function startTracing(workload: string, env: Environment): Promise<{ close(): Promise<void> }> {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? env.OTEL_EXPORTER_OTLP_ENDPOINT;
  if (!endpoint || env.OTEL_SDK_DISABLED === 'true') return NO_TRACING;
  const { openTelemetry } = await import('./open-telemetry.ts');
  const started = openTelemetry(workload, env);
  tracing = started;
  return started;
}

/** A span that is ended by hand. */
export function beginSpan(name: string, options: SpanOptions = {}): OpenSpan {
  return tracing?.begin(name, options) ?? NO_SPAN;
}

/** Does work in a span that ends with it. */
export function inSpan<T>(name: string, work: () => Promise<T>, options?: SpanOptions): Promise<T> {
  return tracing ? spanning(tracing.begin(name, options ?? {}), work) : work();
}

async function spanning<T>(span: OpenSpan, work: () => Promise<T>): Promise<T> {
  try {
    const result = await span.run(work);
    span.end();
    return result;
  } catch (error) {
    span.end(error);
    throw error;
  }
}

/** Where this is; undefined without tracing. */
export function tracePlace(): Place | undefined {
  return tracing?.place();
}

export function traceHeaders(): Record<string, string> {
  return tracing?.headers() ?? {};
}

/** Runs work as part of what another process has begun, if it says so. */
export function continuing<T>(traceparent: string | undefined, work: () => T): T {
  return tracing && traceparent ? tracing.continuing(traceparent, work) : work();
}
