// Numbers as people read them. What is not known is a dash.

const NONE = '–';

/** A rate: `0`, `0.4`, `12`, `1.2k`. @param {number | null} value */
export function rate(value) {
  if (value === null) return NONE;
  if (value >= 999_500) return `${(value / 1e6).toFixed(1)}M`;
  if (value >= 9_950) return `${Math.round(value / 1_000)}k`;
  if (value >= 995) return `${(value / 1_000).toFixed(1)}k`;
  if (value >= 10) return String(Math.round(value));
  return value < 0.05 ? '0' : value.toFixed(1);
}

/** A duration: `0.3`, `4.1`, `840` in milliseconds, `1.2 s` beyond. @param {number | null} value */
export function ms(value) {
  if (value === null) return NONE;
  if (value >= 999.5) return `${(value / 1_000).toFixed(value < 9_950 ? 1 : 0)} s`;
  return value < 9.95 ? value.toFixed(1) : String(Math.round(value));
}

/** With its unit: `4.1 ms`, `1.2 s`. @param {number} value */
export function duration(value) {
  const text = ms(value);
  return text.endsWith('s') ? text : `${text} ms`;
}

/** @param {number | null} value from 0 to 1 */
export function percent(value) {
  if (value === null) return NONE;
  return `${(value * 100).toFixed(value < 0.0995 && value > 0 ? 1 : 0)}%`;
}

/** In MB: memory is watched, not counted. @param {number | null} value */
export function memory(value) {
  if (value === null) return NONE;
  const mb = value / 1e6;
  return mb >= 9_950 ? `${Math.round(mb / 1_000)} GB` : `${Math.round(mb)} MB`;
}

/** `900 B`, `12 kB`, `3.4 MB` @param {number} value */
export function bytes(value) {
  if (value < 1e3) return `${Math.round(value)} B`;
  for (const [unit, size] of /** @type {const} */ ([
    ['kB', 1e3],
    ['MB', 1e6],
    ['GB', 1e9],
  ])) {
    const count = value / size;
    if (count < 999.5 || unit === 'GB')
      return `${count < 9.95 ? count.toFixed(1) : Math.round(count)} ${unit}`;
  }
  return NONE;
}

/** A time of today, `12:04:10`; with its day when it is another one. @param {string} iso @param {Date} now */
export function time(iso, now) {
  const at = new Date(iso);
  const clock = at.toLocaleTimeString('en-GB');
  return at.toDateString() === now.toDateString() ? clock : `${at.toLocaleDateString('en-GB')} ${clock}`;
}

/** @param {number} count */
export const grouped = (count) => count.toLocaleString('en');

/**
 * A name without its middle, where there is no room for all of it: what tells names apart is mostly at their ends.
 * @param {string} name @param {number} max characters
 */
export function shortened(name, max) {
  if (name.length <= max) return name;
  const start = Math.floor((max - 1) / 3);
  return `${name.slice(0, start)}…${name.slice(start + 1 - max)}`;
}
