// What calls about rows take and give, and their messages.
import type { Cell } from './cells.ts';

export type Put = {
  row: Uint8Array;
  columns: { family: string; qualifier: Uint8Array; value: Uint8Array }[];
};
export type Where = { family: string; qualifier?: Uint8Array };
/** A condition on one column: it has no value, or it has one. */
export type Condition = { row: Uint8Array; family: string; qualifier: Uint8Array; exists: boolean };
export type Row = { row: Uint8Array; cells: Cell[] };

export type Result = { cell: PbCell[]; associated_cell_count?: number | null };
type PbCell = { row: Uint8Array; family: Uint8Array; qualifier: Uint8Array; value: Uint8Array };

/** The cells within a message. */
export const cellsOf = (result: Result | null | undefined): Cell[] =>
  (result?.cell ?? []).map(({ row, family, qualifier, value }) => ({
    row,
    family: Buffer.from(family).toString('latin1'),
    qualifier,
    value,
  }));

export const columnOf = ({ family, qualifier }: Where): object => ({
  family: Buffer.from(family),
  ...(qualifier && { qualifier: [qualifier] }),
});

export function mutationOf({ row, columns }: Put): object {
  return {
    row,
    mutate_type: 2,
    column_value: columns.map(({ family, qualifier, value }) => ({
      family: Buffer.from(family),
      qualifier_value: [{ qualifier, value }],
    })),
  };
}

/** @param columns none: the whole row */
export function deletionOf(row: Uint8Array, columns: readonly Where[]): object {
  return {
    row,
    mutate_type: 3,
    column_value: columns.map(({ family, qualifier }) => ({
      family: Buffer.from(family),
      qualifier_value: [qualifier ? { qualifier, delete_type: 1 } : { delete_type: 2 }],
    })),
  };
}

/** "Equal to an empty value" holds for a column that is not there. */
const EMPTY = {
  name: 'org.apache.hadoop.hbase.filter.BinaryComparator',
  serialized_comparator: Buffer.from([0x0a, 0x02, 0x0a, 0x00]),
};
const EQUAL = 2;
const NOT_EQUAL = 3;

export const conditionOf = ({ row, family, qualifier, exists }: Condition): object => ({
  row,
  family: Buffer.from(family),
  qualifier,
  compare_type: exists ? NOT_EQUAL : EQUAL,
  comparator: EMPTY,
});
