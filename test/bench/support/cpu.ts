// What processes use of the processor, as /proc tells (Linux).
import { readFileSync } from 'node:fs';
import { arch, cpus, totalmem } from 'node:os';

/** Linux tells times in hundredths of a second. */
const TICK_MS = 10;
/** Fields of /proc/PID/stat behind the name, which may hold spaces: user and system time. */
const USER_TIME = 11;
const SYSTEM_TIME = 12;

/**
 * Begins to watch processes by a name each.
 * @returns a function that tells how much of a core each has used since, in percent
 */
export function watchCpu<N extends string>(pids: Record<N, readonly number[]>): () => Record<N, number> {
  const names = Object.keys(pids) as N[];
  const usedBy = (name: N): number => pids[name].reduce((sum, pid) => sum + cpuMs(pid), 0);
  const before = names.map(usedBy);
  const began = performance.now();
  return () => {
    const tookMs = performance.now() - began;
    const used = names.map((name, i) => [name, ((usedBy(name) - (before[i] ?? 0)) / tookMs) * 100]);
    return Object.fromEntries(used) as Record<N, number>;
  };
}

/** The processor time of all threads of a process so far. */
function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) * TICK_MS;
}

/** The memory of a process that is in RAM now. */
export function residentBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1_024;
}

/** One line about where figures come from. */
export function machine(): string {
  const gib = (totalmem() / 2 ** 30).toFixed(0);
  const { length } = cpus();
  return `${new Date().toISOString().slice(0, 10)}, ${length} cores (${arch()}), ${gib} GiB, Node ${process.versions.node}`;
}
