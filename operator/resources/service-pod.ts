// Pods of Cellpost's own programs.
import type { V1Container, V1ContainerPort, V1EnvVar } from '@kubernetes/client-node';
import { V8_FLAGS } from '../../workloads/common/v8-flags.ts';
import { bytesOf } from '../runtime/quantity.ts';
import type { PullPolicy, Resources, TracingSpec } from '../types.ts';
import { CONTAINER_SECURITY, probeHttp, resourcesOf } from './pod.ts';

/** Of the memory limit for JavaScript objects; the rest is for buffers, code, native memory. */
const HEAP_SHARE = 0.7;
const MIB = 2 ** 20;

/** The Secret that pods of a platform or a cell take their credentials from, and its keys. */
export const CREDENTIALS = {
  platformToken: 'platformToken',
  accessKeyId: 'accessKeyId',
  secretAccessKey: 'secretAccessKey',
} as const;

export function credentialsName(owner: { name: string }): string {
  return `${owner.name}-credentials`;
}

export type ServiceContainerOptions = {
  workload: 'app-server' | 'discovery' | 'mta-proxy' | 'user-index' | 'memcache-dirty' | 'console' | 'web';
  image: string;
  pullPolicy: PullPolicy;
  resources: Resources;
  credentialsSecret: string;
  /** True when it reads and writes blobs. */
  blobs: boolean;
  httpPort: number;
  ports?: V1ContainerPort[];
  tracing: TracingSpec | undefined;
  env: V1EnvVar[];
};

export function serviceContainer(options: ServiceContainerOptions): V1Container {
  const heap = Math.floor((bytesOf(options.resources.limits.memory) / MIB) * HEAP_SHARE);
  const fromSecret = (name: string, key: string): V1EnvVar => ({
    name,
    valueFrom: { secretKeyRef: { name: options.credentialsSecret, key } },
  });
  return {
    name: options.workload,
    image: options.image,
    imagePullPolicy: options.pullPolicy,
    securityContext: CONTAINER_SECURITY,
    command: ['node', `--max-old-space-size=${heap}`, ...V8_FLAGS, 'cli/cellpost.ts', options.workload],
    env: [
      { name: 'CELLPOST_HTTP_HOST', value: '0.0.0.0' },
      { name: 'CELLPOST_HTTP_PORT', value: String(options.httpPort) },
      { name: 'CELLPOST_VERSION', value: versionOf(options.image) },
      fromSecret('CELLPOST_PLATFORM_TOKEN', CREDENTIALS.platformToken),
      ...(options.blobs
        ? [
            fromSecret('AWS_ACCESS_KEY_ID', CREDENTIALS.accessKeyId),
            fromSecret('AWS_SECRET_ACCESS_KEY', CREDENTIALS.secretAccessKey),
          ]
        : []),
      ...tracingEnvironment(options.tracing),
      ...options.env,
    ],
    ports: [{ name: 'http', containerPort: options.httpPort, protocol: 'TCP' }, ...(options.ports ?? [])],
    startupProbe: probeHttp('/healthz', options.httpPort, {
      periodSeconds: 1,
      failureThreshold: 120,
      timeoutSeconds: 3,
    }),
    livenessProbe: probeHttp('/healthz', options.httpPort, {
      periodSeconds: 10,
      failureThreshold: 6,
      timeoutSeconds: 5,
    }),
    readinessProbe: probeHttp('/readyz', options.httpPort, {
      periodSeconds: 2,
      failureThreshold: 2,
      timeoutSeconds: 3,
    }),
    resources: resourcesOf(options.resources),
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }],
  };
}

/** The standard variables of OpenTelemetry. Who has begun a trace decides whether all of it is kept. */
function tracingEnvironment(tracing: TracingSpec | undefined): V1EnvVar[] {
  if (!tracing) return [];
  return [
    { name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: tracing.endpoint },
    { name: 'OTEL_TRACES_SAMPLER', value: 'parentbased_traceidratio' },
    { name: 'OTEL_TRACES_SAMPLER_ARG', value: String(tracing.percent / 100) },
  ];
}

/** What each such pod mounts. */
export const SERVICE_VOLUMES = [{ name: 'tmp', emptyDir: { sizeLimit: '512Mi' } }];

const REFERENCE = /^(?<name>.+?)(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?<digest>@[^/]+)?$/;

/** The same image at another version: its tag replaced, its digest dropped. */
export function imageAt(image: string, version: string | undefined): string {
  if (version === undefined) return image;
  return `${REFERENCE.exec(image)?.groups?.name ?? image}:${version}`;
}

/** The tag of an image reference. */
export function versionOf(image: string): string {
  const groups = REFERENCE.exec(image)?.groups;
  return groups?.tag ?? groups?.digest?.slice(1) ?? 'latest';
}
