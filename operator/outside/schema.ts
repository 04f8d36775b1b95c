// The table of the log, in a cell's HBase.
import { ensureSchema, type SchemaOptions } from '../../workloads/common/hbase/schema.ts';

/** Makes sure of the table. Throws while HBase is not ready for it. */
export async function ensureLogTable(options: SchemaOptions): Promise<void> {
  await ensureSchema(options);
}
