// The part of the npm package `hbase` (HBase's REST API) that is used here; it has no types of its own.
declare module 'hbase' {
  type Callback<T> = (error: Error | null, data: T) => void;
  type Client = {
    status_cluster(callback: Callback<ClusterStatus>): void;
    table(name: string): {
      exists(callback: Callback<boolean>): void;
      schema(callback: Callback<TableSchema>): void;
      scan(options: { startRow?: string; endRow?: string }, callback: Callback<StoredCell[]>): void;
    };
  };
  export type ClusterStatus = { LiveNodes?: { name: string }[]; DeadNodes?: unknown[] };
  export type StoredCell = { key: string; column: string; $: string };
  export type TableSchema = { name: string; ColumnSchema: { name: string }[] } & Record<string, unknown>;
  export default function connect(options: {
    protocol: 'http' | 'https';
    host: string;
    port: number;
    timeout?: number;
  }): Client;
}
