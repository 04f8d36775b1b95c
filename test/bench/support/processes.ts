// Processor time of processes, from /proc (proc(5)).
import { readdir, readFile } from 'node:fs/promises';

/** CLK_TCK of every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

/** Seconds of processor time that a process has used; 0 once it is gone. */
export async function cpuSeconds(pid: number): Promise<number> {
  const { own } = await times(pid);
  return own;
}

/** The same of a process, its children, theirs in turn, and all those that have ended. */
export async function treeCpuSeconds(pid: number): Promise<number> {
  const { own, ended } = await times(pid);
  const children = await childrenOf(pid);
  const theirs = await Promise.all(children.map(treeCpuSeconds));
  return theirs.reduce((sum, one) => sum + one, own + ended);
}

/** Seconds used by children of a process that have ended. */
export async function endedChildrenCpuSeconds(pid: number): Promise<number> {
  const { ended } = await times(pid);
  return ended;
}

async function times(pid: number): Promise<{ own: number; ended: number }> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  // The name, in parentheses, may hold anything.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15);
  return { own: (user + system) / TICKS_PER_SECOND, ended: (endedUser + endedSystem) / TICKS_PER_SECOND };
}

async function childrenOf(pid: number): Promise<number[]> {
  const threads = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    threads.map((thread) => readFile(`/proc/${pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  return lists.join(' ').split(/\s+/).filter(Boolean).map(Number);
}
