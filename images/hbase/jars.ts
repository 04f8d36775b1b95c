// The jars of ZooKeeper, HBase, HBase REST and HDFS, fetched by Maven once.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { cached, cacheFolder, hashOfFiles } from '../cache.ts';
import { command, works } from '../command.ts';
import { say } from '../progress.ts';

const POM = fileURLToPath(new URL('pom.xml', import.meta.url));

/** The folder of some 180 jars; its name is a hash of the pom. Throws when they have to be fetched and Maven is not there. */
export async function hbaseJars(): Promise<string> {
  const key = await hashOfFiles(join(POM, '..'), [POM]);
  return await cached(join(cacheFolder(), 'jars', key), async (folder) => {
    if (!(await works('mvn', ['--version'])))
      throw new Error(
        'The jars of HBase come by Maven, and there is no `mvn` here: install Maven and a JDK 17.',
      );
    say('fetching the jars of HBase and ZooKeeper by Maven (once)');
    await command('mvn', [
      '-B',
      '-q',
      '-f',
      POM,
      'dependency:copy-dependencies',
      '-DincludeScope=runtime',
      `-DoutputDirectory=${folder}`,
    ]);
  });
}
