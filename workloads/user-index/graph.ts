// Who is whose friend, in memory: what an edge list said at the bottom (all lists one after another in one array of
// numbers), above it what users' logs say. Numbers of users are those of the id table.
import { IdTable } from './id-table.ts';
import { contains, firstCommon, intersect, merge, sortedSet } from './sorted.ts';
import { WordLists } from './word-lists.ts';

/** What one user's log says of others. */
export type Words = { readonly friends: readonly string[]; readonly former: readonly string[] };

/** The lists of an edge list: that of user n is targets[offsets[n] .. offsets[n + 1]], sorted, each number once. */
export type BaseLists = { readonly offsets: Uint32Array; readonly targets: Uint32Array };

const NO_LISTS: BaseLists = { offsets: new Uint32Array(1), targets: new Uint32Array() };
const NOBODY = new Uint32Array();

/** 0: the same user, 1: friends, 2: a friend in common; 'far': neither. */
export type Degree = 0 | 1 | 2 | 'far';

export class FriendGraph {
  readonly ids: IdTable;
  readonly base: BaseLists;
  readonly words: WordLists;

  constructor(ids: IdTable = new IdTable(), base: BaseLists = NO_LISTS, words: WordLists = new WordLists()) {
    this.ids = ids;
    this.base = base;
    this.words = words;
  }

  /** Memory of the arrays. */
  get byteLength(): number {
    const { ids, base, words } = this;
    return ids.byteLength + base.offsets.byteLength + base.targets.byteLength + words.byteLength;
  }

  /**
   * Takes the place of whatever was said of this user's friends by words before.
   * @returns the user's number if that is anything new, else undefined
   */
  say(userId: string, { friends, former }: Words): number | undefined {
    if (friends.length === 0 && former.length === 0 && this.ids.find(userId) < 0) return undefined;
    const user = this.ids.add(userId);
    const added = sortedSet(friends.map((id) => this.ids.add(id)));
    const removed = sortedSet(former.map((id) => this.ids.add(id)));
    return this.words.set(user, { added, removed }) ? user : undefined;
  }

  /** Friends, and whoever has a friend in common. Unknown users are far from everybody. */
  degree(a: string, b: string): Degree {
    if (a === b) return 0;
    const [from, to] = [this.ids.find(a), this.ids.find(b)];
    if (from < 0 || to < 0) return 'far';
    const [near, far] = [this.#list(from), this.#list(to)];
    if (contains(near, to) && contains(far, from)) return 1;
    const common = firstCommon(near, far, (user) => this.#knows(user, from) && this.#knows(user, to));
    return common < 0 ? 'far' : 2;
  }

  friends(userId: string): string[] {
    const user = this.ids.find(userId);
    return user < 0 ? [] : this.#names(this.#friendsOf(user));
  }

  mutual(a: string, b: string): string[] {
    const [from, to] = [this.ids.find(a), this.ids.find(b)];
    if (from < 0 || to < 0) return [];
    const common = intersect(this.#list(from), this.#list(to));
    return this.#names(common.filter((user) => this.#knows(user, from) && this.#knows(user, to)));
  }

  /** Friends of friends who are no friends. @returns how many, and the first so many of them */
  friendsOfFriends(userId: string, limit: number): { count: number; userIds: string[] } {
    const user = this.ids.find(userId);
    if (user < 0) return { count: 0, userIds: [] };
    const friends = this.#friendsOf(user);
    const found = new Set<number>();
    for (const friend of friends) for (const other of this.#friendsOf(friend)) found.add(other);
    found.delete(user);
    for (const friend of friends) found.delete(friend);
    const userIds: string[] = [];
    for (const other of found) {
      if (userIds.length >= limit) break;
      userIds.push(this.ids.id(other));
    }
    return { count: found.size, userIds };
  }

  /** Those on the user's list who have the user on theirs. */
  #friendsOf(user: number): Uint32Array {
    return this.#list(user).filter((other) => this.#knows(other, user));
  }

  #knows(user: number, other: number): boolean {
    const words = this.words.get(user);
    if (words && contains(words.added, other)) return true;
    return contains(this.#baseList(user), other) && !(words && contains(words.removed, other));
  }

  #list(user: number): Uint32Array {
    const words = this.words.get(user);
    const base = this.#baseList(user);
    if (!words) return base;
    return base.length === 0 ? words.added : merge(base, words.added, words.removed);
  }

  #baseList(user: number): Uint32Array {
    const { offsets, targets } = this.base;
    return user + 1 < offsets.length ? targets.subarray(offsets[user], offsets[user + 1]) : NOBODY;
  }

  #names(users: Uint32Array): string[] {
    return Array.from(users, (user) => this.ids.id(user));
  }
}
