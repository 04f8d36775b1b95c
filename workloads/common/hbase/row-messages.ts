// What calls about rows take and give, and their messages.
import type { Cell } from './cells.ts';
import { encode } from './wire.ts';

export type Put = {
  row: Uint8Array;
  columns: { family: string; qualifier: Uint8Array; value: Uint8Array }[];
  /** What the cells are stored with; the clock of the server decides when it is not given. The newest cell is what is read. */
  timestampMs?: number | undefined;
};
export type Where = { family: string; qualifier?: Uint8Array };
/** A condition on one column: it has no value, or one that is not empty. */
export type Condition = { row: Uint8Array; family: string; qualifier: Uint8Array; exists: boolean };
export type Row = { row: Uint8Array; cells: Cell[] };

export type Result = { cell: PbCell[]; associated_cell_count?: number | null };
type PbCell = {
  row: Uint8Array;
  family: Uint8Array;
  qualifier: Uint8Array;
  value: Uint8Array;
  /** protobufjs's Long, or a number. */
  timestamp: unknown;
};

/** The cells within a message. */
export const cellsOf = (result: Result | null | undefined): Cell[] =>
  (result?.cell ?? []).map(({ row, family, qualifier, value, timestamp }) => ({
    row,
    family: Buffer.from(family).toString('latin1'),
    qualifier,
    value,
    timestampMs: Number(timestamp),
  }));

const families = new Map<string, Buffer>();
/** Tables have few families, and their names are said in each call. */
function familyBytes(family: string): Buffer {
  const bytes = families.get(family) ?? Buffer.from(family);
  families.set(family, bytes);
  return bytes;
}

export const columnOf = ({ family, qualifier }: Where): object => ({
  family: familyBytes(family),
  ...(qualifier && { qualifier: [qualifier] }),
});

export function mutationOf({ row, columns, timestampMs: timestamp }: Put): object {
  return {
    row,
    mutate_type: 2,
    column_value: columns.map(({ family, qualifier, value }) => ({
      family: familyBytes(family),
      qualifier_value: [{ qualifier, value, ...(timestamp !== undefined && { timestamp }) }],
    })),
  };
}

/** Of these cells, each by its timestamp: what is written later is not hidden, whatever the clock of its server says. */
export function deletionOf(row: Uint8Array, cells: readonly Cell[]): object {
  return {
    row,
    mutate_type: 3,
    column_value: cells.map(({ family, qualifier, timestampMs: timestamp }) => ({
      family: familyBytes(family),
      qualifier_value: [{ qualifier, timestamp, delete_type: 0 }],
    })),
  };
}

/** A filter: cells without their values. Its message is `len_as_val = false`. */
export const KEYS_ONLY = {
  name: 'org.apache.hadoop.hbase.filter.KeyOnlyFilter',
  serialized_filter: Buffer.from([0x08, 0x00]),
};

/** Said with each row of a group: encoded once. */
const comparator = (serialized: number[]): Uint8Array =>
  encode('Comparator', {
    name: 'org.apache.hadoop.hbase.filter.BinaryComparator',
    serialized_comparator: Buffer.from(serialized),
  });
/** "An empty value is equal to it" holds for a column that is not there. */
const ABSENT = { compare_type: 2, comparator: comparator([0x0a, 0x02, 0x0a, 0x00]) };
/** "A zero byte is less or equal". "An empty value is not equal" would hold for absent ones where rows are written together. */
const PRESENT = { compare_type: 1, comparator: comparator([0x0a, 0x03, 0x0a, 0x01, 0x00]) };

export const conditionOf = ({ row, family, qualifier, exists }: Condition): object => ({
  row,
  family: familyBytes(family),
  qualifier,
  ...(exists ? PRESENT : ABSENT),
});
