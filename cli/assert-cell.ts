import type { Cells } from '../workloads/common/cell-client/cells.ts';

/** @throws with a sentence when there is no such cell */
export async function assertCell(cells: Cells, name: string): Promise<void> {
  const names = await cells.cellNames();
  if (!names.includes(name)) throw new Error(`There is no cell ${name}; there are ${names.join(', ')}.`);
}
