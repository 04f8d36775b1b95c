// Says again what the graph does, as slowly as it reads: what tests compare it with.
import assert from 'node:assert/strict';
import type { Degree, FriendGraph } from './graph.ts';

export class NaiveGraph {
  readonly edges = new Set<string>();
  readonly words = new Map<string, Map<string, boolean>>();
  readonly users: readonly string[];

  constructor(users: readonly string[]) {
    this.users = users;
  }

  says(a: string, b: string): boolean {
    return this.words.get(a)?.get(b) ?? (this.edges.has(`${a} ${b}`) || this.edges.has(`${b} ${a}`));
  }

  friends(a: string): string[] {
    return this.users.filter((b) => a !== b && this.says(a, b) && this.says(b, a));
  }

  degree(a: string, b: string): Degree {
    if (a === b) return 0;
    if (this.friends(a).includes(b)) return 1;
    return this.mutual(a, b).length > 0 ? 2 : 'far';
  }

  mutual(a: string, b: string): string[] {
    const others = this.friends(b);
    return this.friends(a).filter((friend) => others.includes(friend));
  }
}

/** Does the graph answer all questions about all users as the naive one does? */
export function expectSame(graph: FriendGraph, naive: NaiveGraph): void {
  const { users } = naive;
  for (const a of users) {
    assert.deepEqual(graph.friends(a).sort(), naive.friends(a).sort());
    const far = users.filter((b) => naive.degree(a, b) === 2);
    const { count, userIds } = graph.friendsOfFriends(a, users.length);
    assert.deepEqual([count, userIds.sort()], [far.length, far.sort()]);
    for (const b of users) {
      assert.equal(graph.degree(a, b), naive.degree(a, b));
      assert.deepEqual(graph.mutual(a, b).sort(), naive.mutual(a, b).sort());
    }
  }
}
