// Requests to a server's API, by users and services, by others than who may, and by nobody: what each asks, and who may hear it.
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { addressOf, passwordOf, userIdOf } from './people.ts';
import type { Random } from './random.ts';
import type { HttpRequest } from './wire.ts';

export const TOKEN = 'the token of a simulated platform';

/** Streams are followed so long at most: much shorter than keys stay where they are, or much longer. */
const LONGEST_STREAM_MS = 8_000;
/** Messages of a list. */
const PAGE = 4;
const USING = ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail', 'urn:cellpost:friends'];

const WHATS = ['mail', 'mail', 'session', 'friends', 'pushes', 'pushes', 'feed'] as const;
/** Who asks: the user with the right password or a wrong one, another user, a service, one with a wrong token, nobody. */
const ASKERS = [
  'self',
  'self',
  'self',
  'forgetful',
  'other',
  'other',
  'service',
  'impostor',
  'nobody',
] as const;

export type Ask = {
  kind: 'ask';
  /** Whose data. */
  key: string;
  what: (typeof WHATS)[number];
  asker: (typeof ASKERS)[number];
  /** The other user; and whose account is named in calls, now and then. */
  other: string;
  namesOther: boolean;
  /** How long a stream is followed. */
  forMs: number;
};

export function makeAsk(random: Random, key: string, keys: readonly string[]): Ask {
  return {
    kind: 'ask',
    key: random.chance(0.03) ? 'user:missing' : key,
    what: random.pick(WHATS),
    asker: random.pick(ASKERS),
    other: userIdOf(random.pick(keys)),
    namesOther: random.chance(0.2),
    forMs: random.between(0, LONGEST_STREAM_MS),
  };
}

/** What is heard goes on until somebody ends it. */
export const isStream = ({ what }: Ask): boolean => what === 'pushes' || what === 'feed';

export const describeAsk = ({ what, asker, other }: Ask): string =>
  `${what} as ${asker === 'other' ? other : asker}`;

/** May the asker have an answer at all? Everything in it must be of this user then. */
export function isEntitled({ key, what, asker, other }: Ask): boolean {
  if (asker === 'service') return true;
  if (what === 'feed') return false;
  return asker === 'self' || (asker === 'other' && other === userIdOf(key));
}

export function requestOf(ask: Ask): HttpRequest {
  const userId = userIdOf(ask.key);
  const authorization = authorizationOf(ask, userId);
  const get = (path: string): HttpRequest => ({ method: 'GET', path, authorization });
  switch (ask.what) {
    case 'mail': {
      const body = { using: USING, methodCalls: calls(ask.namesOther ? ask.other : userId) };
      return { method: 'POST', path: `/users/${userId}/jmap/api`, authorization, body };
    }
    case 'session':
      return get(`/users/${userId}/jmap/session`);
    case 'friends':
      return get(`/users/${userId}/friends`);
    case 'pushes':
      return get(`/users/${userId}/jmap/eventsource?types=*&closeafter=no&ping=5`);
    case 'feed':
      return get('/changes');
  }
}

function authorizationOf({ asker, other }: Ask, userId: string): string | undefined {
  const basic = (address: string, password: string): string =>
    `Basic ${Buffer.from(`${address}:${password}`).toString('base64')}`;
  switch (asker) {
    case 'self':
      return basic(addressOf(userId), passwordOf(userId));
    case 'forgetful':
      return basic(addressOf(userId), passwordOf(other === userId ? 'nobody' : other));
    case 'other':
      return basic(addressOf(other), passwordOf(other));
    case 'service':
      return bearer(TOKEN);
    case 'impostor':
      return bearer(`${TOKEN}?`);
    case 'nobody':
      return undefined;
  }
}

function calls(accountId: string): unknown[] {
  const ids = { resultOf: 'q', name: 'Email/query', path: '/ids' };
  return [
    ['Mailbox/get', { accountId }, 'm'],
    ['Email/query', { accountId, sort: [{ property: 'receivedAt', isAscending: false }], limit: PAGE }, 'q'],
    ['Email/get', { accountId, '#ids': ids, properties: ['subject', 'to', 'preview', 'size'] }, 'e'],
  ];
}
