// How much heap a JVM gets, and the options that all of ours share.
import { bytesOf } from '../runtime/quantity.ts';
import type { JvmSpec, Resources } from '../types.ts';

const MIB = 2 ** 20;
/** Of the memory limit; the rest is for code, stacks, buffers. */
const HEAP_SHARE = 0.75;

/**
 * Heap in MiB under a memory limit: three quarters of it, or less where what a JVM needs besides would not fit.
 * @param besidesMib code, stacks and direct buffers as seen at full load (measured per role)
 */
export function heapMib(resources: Resources, besidesMib: number): number {
  const limitMib = bytesOf(resources.limits.memory) / MIB;
  return Math.floor(Math.min(limitMib * HEAP_SHARE, limitMib - besidesMib));
}

/** Names of pods change their address: JVMs must not keep an old one. */
const COMMON_OPTIONS = [
  '-XX:-UsePerfData',
  '-XX:+ExitOnOutOfMemoryError',
  '-Xss512k',
  '-Dsun.net.inetaddr.ttl=1',
  '-Dsun.net.inetaddr.negative.ttl=0',
  '-Dlog4j.configuration=file:/conf/log4j.properties',
  '-Djava.io.tmpdir=/tmp',
];

/** What HBase and Hadoop reach into on Java 17. */
const OPENED_PACKAGES = [
  'jdk.internal.ref',
  'java.nio',
  'sun.nio.ch',
  'java.lang',
  'java.lang.reflect',
  'java.util',
  'java.util.concurrent',
  'java.net',
];
const HBASE_OPTIONS = [
  ...OPENED_PACKAGES.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
  '--add-exports=java.base/jdk.internal.misc=ALL-UNNAMED',
  '--add-exports=java.security.jgss/sun.security.krb5=ALL-UNNAMED',
  '-Dorg.apache.hbase.thirdparty.io.netty.tryReflectionSetAccessible=true',
];

const COLLECTOR = '-XX:+UseSerialGC';
const IS_COLLECTOR = /^-XX:\+Use\w+GC$/;

/** A spec's own options come last and win; two collectors would keep a JVM from starting. The schema refuses what sets the heap. */
function withOptions(own: string[], jvm: JvmSpec | undefined): string[] {
  const more = jvm?.options ?? [];
  const kept = more.some((option) => IS_COLLECTOR.test(option))
    ? own.filter((option) => option !== COLLECTOR)
    : own;
  return [...kept, ...more];
}

export function zookeeperJavaOptions(heap: number, jvm?: JvmSpec): string {
  const own = [
    `-Xmx${heap}m`,
    COLLECTOR,
    '-XX:TieredStopAtLevel=1',
    '-Dzookeeper.leaderConnectDelayDuringRetryMs=500',
    ...COMMON_OPTIONS,
  ];
  return withOptions(own, jvm).join(' ');
}

/** Servers of HDFS wait for disks and networks: the quick compiler is enough, and they start with half the work. */
export function hadoopJavaOptions(heap: number, jvm?: JvmSpec): string[] {
  return withOptions([`-Xmx${heap}m`, COLLECTOR, '-XX:TieredStopAtLevel=1', ...COMMON_OPTIONS], jvm);
}

export function hbaseJavaOptions(heap: number, jvm?: JvmSpec, more: string[] = []): string[] {
  return withOptions([`-Xmx${heap}m`, COLLECTOR, ...more, ...COMMON_OPTIONS, ...HBASE_OPTIONS], jvm);
}
