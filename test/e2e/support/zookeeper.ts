// What servers of ZooKeeper say of themselves, asked inside their pods.
import type { CellTools } from './cell.ts';

/** 'leader', 'follower', or '' when it is in no quorum or can't be asked. */
async function modeOf({ kubectl }: CellTools, pod: string): Promise<string> {
  const ask = 'echo srvr | nc -w 2 127.0.0.1 2181 | sed -n "s/^Mode: //p"';
  return (await kubectl('exec', pod, '--', 'sh', '-c', ask).catch(() => '')).trim();
}

/** @returns undefined while none of them leads */
export async function leaderOf(tools: CellTools, pods: readonly string[]): Promise<string | undefined> {
  const modes = await Promise.all(pods.map((pod) => modeOf(tools, pod)));
  return pods[modes.indexOf('leader')];
}

/**
 * Asks again and again until the work is done.
 * @returns the longest time, in milliseconds, between two answers of which one was that of a leader
 */
export async function longestWithoutLeader(
  tools: CellTools,
  pods: readonly string[],
  work: () => Promise<void>,
): Promise<number> {
  const over = new AbortController();
  let longest = 0;
  const watching = (async () => {
    let last = performance.now();
    while (!over.signal.aborted) {
      const leader = await leaderOf(tools, pods);
      longest = Math.max(longest, performance.now() - last);
      if (leader !== undefined) last = performance.now();
    }
  })();
  try {
    await work();
  } finally {
    over.abort();
    await watching;
  }
  return longest;
}
