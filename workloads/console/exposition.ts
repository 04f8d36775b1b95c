// The text format in which Prometheus and prom-client exchange metrics
// (https://prometheus.io/docs/instrumenting/exposition_formats/):
//
//   # HELP and # TYPE lines, which say nothing that is needed here
//   name{label="value",…} value [timestamp]
//
// Of the npm packages that read it, parse-prometheus-text-format puts all series of a histogram that prom-client wrote into
// one (docs/adr/0065-console.md).

/** What a process answered is no exposition. */
export class BadExposition extends Error {
  override name = 'BadExposition';
}

export type Series = { name: string; labels: Record<string, string>; value: number };

const NAME = /[A-Za-z_:][\w:]*/y;
const LABEL = /([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"\s*,?\s*/y;
/** Shown of a line that can't be read. */
const MAX_SHOWN_CHARS = 100;

/**
 * Reads the series whose names are wanted; the others cost little.
 * @throws BadExposition naming the line
 */
export function* parseExposition(text: string, isWanted: (name: string) => boolean): Generator<Series> {
  for (let start = 0; start < text.length;) {
    const newline = text.indexOf('\n', start);
    const end = newline < 0 ? text.length : newline;
    const line = text.slice(start, end).trim();
    start = end + 1;
    if (line === '' || line.startsWith('#')) continue;
    NAME.lastIndex = 0;
    const name = NAME.exec(line)?.[0];
    if (name === undefined) throw bad(line);
    if (isWanted(name)) yield parseSeries(line, name);
  }
}

function parseSeries(line: string, name: string): Series {
  const labels: Record<string, string> = {};
  let at = name.length;
  if (line[at] === '{') {
    at++;
    while (line[at] !== '}') {
      LABEL.lastIndex = at;
      const match = LABEL.exec(line);
      if (!match) throw bad(line);
      labels[match[1] ?? ''] = unescape(match[2] ?? '');
      at = LABEL.lastIndex;
    }
    at++;
  }
  const [word = ''] = line.slice(at).trim().split(/\s+/);
  const value = toNumber(word);
  if (value === undefined) throw bad(line);
  return { name, labels, value };
}

/** Go's forms of numbers: +Inf, -Inf and NaN beside what JavaScript writes. */
export function toNumber(word: string): number | undefined {
  if (word === '+Inf' || word === 'Inf') return Infinity;
  if (word === '-Inf') return -Infinity;
  if (/^nan$/i.test(word)) return Number.NaN;
  const value = Number(word);
  return word === '' || Number.isNaN(value) ? undefined : value;
}

function unescape(value: string): string {
  return value.includes('\\')
    ? value.replaceAll(/\\(.)/g, (_, char: string) => (char === 'n' ? '\n' : char))
    : value;
}

const bad = (line: string): BadExposition =>
  new BadExposition(`This is no metric: ${JSON.stringify(line.slice(0, MAX_SHOWN_CHARS))}`);
