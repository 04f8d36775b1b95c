// The tables of docs/network.md, for the tests that compare them with what is made.
import { readFile } from 'node:fs/promises';

const PAGE = new URL('../../docs/network.md', import.meta.url);

/** Rows of the table under a heading, each cell as it is written, without the head. */
export async function readTable(heading: string): Promise<string[][]> {
  const text = await readFile(PAGE, 'utf8');
  const section = text.split(/^## /m).find((part) => part.startsWith(`${heading}\n`)) ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .map((line) =>
      line
        .slice(1, -1)
        .split('|')
        .map((cell) => cell.trim()),
    );
}

/** `a, b` → both. */
export const namesIn = (cell: string | undefined): string[] => cell?.split(', ') ?? [];
