// Who may look: holders of the platform's token see everything; holders of the console's key all but who the users are.
// Both come as `Authorization: Bearer …`, or as the password of HTTP Basic, with any user name.
import { createHash, timingSafeEqual } from 'node:crypto';
import { consoleKey } from '../common/http/console-key.ts';

export type Access = 'all' | 'without-users';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** @returns a function from an Authorization header to what it opens; undefined: nothing */
export function accessOf(token: string): (authorization: string | undefined) => Access | undefined {
  const wanted = { all: digest(token), key: digest(consoleKey(token)) };
  return (authorization) => {
    const given = digest(secretOf(authorization) ?? '');
    const isAll = timingSafeEqual(given, wanted.all);
    const isKey = timingSafeEqual(given, wanted.key);
    return isAll ? 'all' : isKey ? 'without-users' : undefined;
  };
}

/** RFC 6750 and RFC 7617; the longest header that Node takes is 16 KiB. */
function secretOf(authorization: string | undefined): string | undefined {
  const [, scheme, value = ''] = /^(bearer|basic) +(\S+) *$/i.exec(authorization ?? '') ?? [];
  if (scheme?.toLowerCase() !== 'basic') return scheme && value;
  const text = Buffer.from(value, 'base64').toString('utf8');
  return text.slice(text.indexOf(':') + 1);
}
