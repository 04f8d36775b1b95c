// A client of the cells of a platform that runs from a data folder.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readNote } from '../../embedded/home.ts';
import { openCells, type Cells } from '../../workloads/common/cell-client/cells.ts';
import { createLogger } from '../../workloads/common/log.ts';

/** @param home the platform's data folder */
export async function openTestCells(home: string): Promise<Cells & AsyncDisposable> {
  const token = readFileSync(join(home, 'token'), 'utf8').trim();
  const { discoveryUrl = '' } = readNote(home) ?? {};
  const cells = await openCells({ discoveryUrl, token, logger: createLogger('test', 'silent') });
  return Object.assign(cells, { [Symbol.asyncDispose]: () => cells.close() });
}
