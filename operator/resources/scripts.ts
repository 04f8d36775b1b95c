// The scripts and settings that pods mount, as they lie in scripts/.
import { readFileSync } from 'node:fs';

export type ScriptName =
  | 'zookeeper-start.sh'
  | 'zookeeper-live.sh'
  | 'zookeeper-ready.sh'
  | 'hbase-master-ready.sh'
  | 'hbase-region-server-ready.sh'
  | 'hdfs-name-node-format.sh'
  | 'hdfs-name-node-ready.sh'
  | 'hdfs-data-node-ready.sh'
  | 'hbase-any-master-ready.sh'
  | 'hbase-own-region-server-ready.sh'
  | 'log4j.properties';

export function script(name: ScriptName): string {
  return readFileSync(new URL(`scripts/${name}`, import.meta.url), 'utf8');
}
