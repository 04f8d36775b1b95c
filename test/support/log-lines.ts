// What processes under test have logged.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export type LogLine = Record<string, unknown> & {
  workload: string;
  requestId?: string;
  requestIds?: string[];
};

/** All lines of the files in a folder that are objects. */
export async function readLogLines(folder: string): Promise<LogLine[]> {
  const texts = await Promise.all(
    (await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')),
  );
  return texts.flatMap((text) =>
    text.split('\n').flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as LogLine] : [])),
  );
}

/** Is the line about this request, alone or with others? */
export function isAbout(line: LogLine, requestId: string): boolean {
  return line.requestId === requestId || line.requestIds?.includes(requestId) === true;
}
