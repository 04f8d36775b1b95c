// Times and durations as people type them.
import { InvalidArgumentError } from 'commander';

const UNITS_MS: Record<string, number> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** `90s`, `30m`, `24h`, `7d`, `2w`, `0` → milliseconds. For commander's options. */
export function parseDuration(text: string): number {
  if (text === '0') return 0;
  const match = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text);
  const unit = match && UNITS_MS[match[2] ?? ''];
  if (!unit) throw new InvalidArgumentError('A duration is a number with s, m, h, d or w: 24h.');
  return Math.round(Number(match[1]) * unit);
}

/** An ISO 8601 time (local when it names no zone), or how long ago: `2h`, `7d`. @returns milliseconds since 1970 */
export function parseTime(text: string): number {
  if (/^\d+(?:\.\d+)?[smhdw]$/.test(text)) return Date.now() - parseDuration(text);
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(ms))
    throw new InvalidArgumentError('A time is like 2026-11-23T09:30 or 2026-11-23T09:30:00Z, or 2h (ago).');
  return ms;
}

/** A whole number, 1 and up. */
export function parseSeq(text: string): number {
  const seq = Number(text);
  if (!Number.isSafeInteger(seq) || seq < 1) throw new InvalidArgumentError('A sequence is 1, 2, 3 …');
  return seq;
}

/** To the second, in UTC: `2026-11-23 09:30:00Z`. */
export function formatTime(ms: number): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, 'Z');
}

const SIZES = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

/** `1.2 KiB`. */
export function formatBytes(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < SIZES.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${SIZES[unit]}`;
}
