// A user moves to another cell, as far as this one can tell, and comes back.
import { entryCodec } from '../../workloads/app-server/log/entry.ts';
import { TOKEN } from './asks.ts';
import type { FaultyCell } from './begin-fault.ts';
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { CELL } from './real-door.ts';
import type { Disk } from './store.ts';

const OTHER_CELL = 'b';
const AGAIN_MS = 500;
/** A move that nobody waits for any more may still come to the disk: after pauses, late messages and all attempts to settle it. */
const LATEST_MOVE_MS = 40_000;

/** @returns what brings the user back */
export function beginMove(key: string, cell: FaultyCell): () => void {
  const { world, history, disk } = cell;
  ask(cell, key, 'move', (status, body) => {
    if (status === 200) history.moved(key, (JSON.parse(body) as { seq: number }).seq);
  });
  return () => {
    const until = world.now + LATEST_MOVE_MS;
    const look = (): void => {
      if (isAway(disk, key)) ask(cell, key, 'adopt', () => undefined);
      if (world.now < until) world.after(AGAIN_MS, `is ${key} back?`, look);
    };
    look();
  };
}

function ask(
  { nodes, world }: FaultyCell,
  key: string,
  what: 'move' | 'adopt',
  answered: (status: number, body: string) => void,
): void {
  const owner = nodes.find((node) => node.answersFor(key));
  owner?.request(
    {
      method: 'POST',
      path: `/logs/${encodeURIComponent(key)}/${what}`,
      authorization: bearer(TOKEN),
      body: what === 'move' ? { toCell: OTHER_CELL } : undefined,
    },
    (status, body) => {
      world.trace(`${owner.name} ${what} ${key}: ${status}`);
      answered(status, body);
    },
  );
}

function isAway({ logs }: Disk, key: string): boolean {
  const last = logs.entries.get(key)?.at(-1);
  const action = last && entryCodec.decode(last.entry).actions.at(-1);
  return action?.type === 'moved' && action.toCell !== CELL;
}
