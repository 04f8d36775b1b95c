// The table of the log, in a cell's HBase.

/** Makes sure of the table over HBase's REST server. Throws while HBase is not ready for it. */
export async function ensureLogTable(
  restUrl: string,
  options: { table: string; regions: number },
): Promise<void> {
  const { ensureSchema } = await import('../../workloads/common/hbase/schema.ts');
  await ensureSchema(restUrl, options);
}
