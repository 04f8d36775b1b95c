// What commands print: a table for people, JSON for programs.
import { once } from 'node:events';

/** Columns padded to their widest value; no trailing spaces. Values under a header that begins with `>` stand at the right edge. */
export function formatTable(header: string[], rows: string[][]): string {
  const names = header.map((name) => name.replace(/^>/, ''));
  const all = [names, ...rows];
  const widths = names.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const pad = (value: string, column: number): string =>
    header[column]?.startsWith('>') ? value.padStart(widths[column] ?? 0) : value.padEnd(widths[column] ?? 0);
  return all
    .map((row) => names.map((_, column) => pad(row[column] ?? '', column)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** A line of an output that may be long: waits for a slow reader, and ends the program when the reader has gone (`| head`). */
export async function printLine(line: string): Promise<void> {
  if (process.stdout.write(`${line}\n`)) return;
  await once(process.stdout, 'drain');
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});
