// A process that appends until it is killed: `node log-store-crash.ts <url> <key> …` writes `<key> <seq>` on its
// standard output for each entry that was acknowledged.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openLogStore } from '../../workloads/app-server/log/open-log-store.ts';

/** After this long without enough acknowledged entries something is wrong. */
const ROUND_DEADLINE_MS = 120_000;

/**
 * Lets a process append to the logs of `keys`, all at once, kills it with SIGKILL when `atLeast` entries were
 * acknowledged, and waits for its end.
 * @returns the last acknowledged number of each key
 */
export async function appendUntilKilled(
  url: string,
  keys: readonly string[],
  atLeast: number,
): Promise<Map<string, number>> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), url, ...keys], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const deadline = setTimeout(() => child.kill('SIGKILL'), ROUND_DEADLINE_MS);
  const exited = once(child, 'exit');
  const acknowledged = new Map<string, number>();
  let count = 0;
  try {
    // Lines that were written before the kill are acknowledged, too: read to the end.
    for await (const line of createInterface({ input: child.stdout })) {
      const [key = '', seq = ''] = line.split(' ');
      if (!/^\d+$/.test(seq)) continue;
      acknowledged.set(key, Number(seq));
      if (++count === atLeast) child.kill('SIGKILL');
    }
    await exited;
  } finally {
    clearTimeout(deadline);
    child.kill('SIGKILL');
  }
  if (count < atLeast) throw new Error(`only ${count} entries were acknowledged before the process ended`);
  return acknowledged;
}

async function appendForEver(url: string, keys: readonly string[]): Promise<void> {
  const store = await openLogStore(url);
  await Promise.all(
    keys.map(async (key) => {
      let seq = (await store.readLast(key))?.seq ?? 0;
      for (;;) {
        seq++;
        const outcome = await store.append(key, seq, Buffer.from(`${key} ${seq}`), [
          Buffer.from(`body ${seq}`),
        ]);
        if (outcome !== 'appended') throw new Error(`${key} ${seq}: ${outcome}`);
        process.stdout.write(`${key} ${seq}\n`);
      }
    }),
  );
}

const [, script, url, ...keys] = process.argv;
if (script === fileURLToPath(import.meta.url) && url) await appendForEver(url, keys);
