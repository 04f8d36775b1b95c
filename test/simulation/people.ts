// The users of a simulated cell: what marks data as theirs, and how they sign in.
import { scryptSync } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { ScryptHash } from '../../workloads/app-server/image/model.ts';

const USER = /^user:(.+)$/;
const MARK = /\bof-([a-z]+\d*)\b/g;
/** As cheap as scrypt can be. */
const COST = { n: 2, r: 1, p: 1 };
const HASH_BYTES = 16;
/** There are a few passwords, asked thousands of times; that of nobody costs as much as a real one. */
const hashes = new LRUCache<string, Buffer>({ max: 1_000 });

export function userIdOf(key: string): string {
  const userId = USER.exec(key)?.[1];
  if (userId === undefined) throw new Error(`${key} is no user's log`);
  return userId;
}

/** Stands in whatever says something of the user, and in nothing else. */
export const markOf = (userId: string): string => `of-${userId}`;

/** The users whose marks stand in a text. */
export const ownersIn = (text: string): Set<string> =>
  new Set(Array.from(text.matchAll(MARK), ([, userId = '']) => userId));

export const addressOf = (userId: string): string => `${markOf(userId)}@cellpost.test`;

export const passwordOf = (userId: string): string => `the password that ${userId} knows`;

export function credentialsOf(userId: string): ScryptHash {
  const salt = Buffer.from(userId);
  return { ...COST, salt, hash: hash(passwordOf(userId), salt, COST) };
}

/** As the app server compares, but at once: another thread would end when it likes. */
export function matchesAtOnce(password: string, wanted: ScryptHash): Promise<boolean> {
  return Promise.resolve(hash(password, wanted.salt, wanted, wanted.hash.length).equals(wanted.hash));
}

function hash(password: string, salt: Uint8Array, { n, r, p }: typeof COST, bytes = HASH_BYTES): Buffer {
  const asked = JSON.stringify([password, Buffer.from(salt).toString('hex'), n, r, p, bytes]);
  const known =
    hashes.get(asked) ?? scryptSync(password, salt, bytes, { N: n, r, p, maxmem: 64 * 1024 * 1024 });
  hashes.set(asked, known);
  return known;
}
