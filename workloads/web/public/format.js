// How things read: names, times, sizes.

/** @import { Address } from './types.d.ts' */

const DAY_MS = 24 * 60 * 60 * 1000;

/** @param {Address[] | null | undefined} addresses */
export function nameOf(addresses) {
  const first = addresses?.[0];
  return first ? first.name || first.email : '(unknown sender)';
}

/** @param {Address} address */
export function fullName({ name, email }) {
  return name ? `${name} <${email}>` : email;
}

/** @param {string} name */
export function initialsOf(name) {
  const words = name
    .replace(/[^\p{L}\p{N} @._-]/gu, '')
    .split(/[\s@._-]+/)
    .filter(Boolean);
  const letters = words.length > 1 && !name.includes('@') ? [words[0], words[1]] : [words[0]];
  return letters
    .map((word) => [...(word ?? '?')][0])
    .join('')
    .toUpperCase();
}

/** A number 0 to 7, always the same for a name: for colours. @param {string} name */
export function hueOf(name) {
  let sum = 0;
  for (const char of name.toLowerCase()) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return sum % 8;
}

/** Time today, weekday this week, day this year, else the date. @param {string} date */
export function shortTime(date, now = new Date()) {
  const then = new Date(date);
  if (then.toDateString() === now.toDateString())
    return then.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
  if (now.getTime() - then.getTime() < 6 * DAY_MS) return then.toLocaleDateString([], { weekday: 'short' });
  if (then.getFullYear() === now.getFullYear())
    return then.toLocaleDateString([], { day: 'numeric', month: 'short' });
  return then.toLocaleDateString([], { day: 'numeric', month: 'short', year: 'numeric' });
}

/** @param {string} date */
export function longTime(date) {
  return new Date(date).toLocaleString([], {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  });
}

/** @param {number} bytes */
export function sizeOf(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
