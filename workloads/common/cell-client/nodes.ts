// The app servers of all cells, and how many users each has open: for people.
import { request } from 'undici';
import { z } from 'zod';
import { bearer } from '../http/platform-token.ts';
import type { MemberState } from '../ring/ring.ts';
import type { Directory } from './directory.ts';

/** A node that does not answer in that time is listed without its users. */
const NODE_DEADLINE_MS = 2_000;

export type NodeInfo = {
  cell: string;
  node: string;
  state: MemberState;
  /** Its base URL. */
  address: string;
  pid: number;
  /** How many users' images are open; undefined when it did not answer. */
  users?: number | undefined;
};

const nodeAnswer = z.object({ users: z.number().int() });

export async function readNodes(directory: Directory, token: string): Promise<NodeInfo[]> {
  const nodes = directory.cells().flatMap((cell) =>
    (cell.ring?.members ?? []).map((member) => ({
      cell: cell.name,
      node: member.name,
      state: member.state,
      address: member.url,
      pid: member.pid,
    })),
  );
  return Promise.all(
    nodes
      .sort((a, b) => (`${a.cell}/${a.node}` < `${b.cell}/${b.node}` ? -1 : 1))
      .map(async (node) => Object.assign(node, { users: await countUsers(node.address, token) })),
  );
}

async function countUsers(url: string, token: string): Promise<number | undefined> {
  try {
    const response = await request(new URL('/node', url), {
      headers: { authorization: bearer(token) },
      signal: AbortSignal.timeout(NODE_DEADLINE_MS),
    });
    const answer: unknown = await response.body.json();
    return nodeAnswer.safeParse(answer).data?.users;
  } catch {
    return undefined;
  }
}
