// The authentication thread: signatures take time, and messages can be made so that they take long.
import { parentPort, workerData } from 'node:worker_threads';
import { Dns } from './dns.ts';
import type { Job, ThreadAnswer, ThreadOptions } from './protocol.ts';
import { verify } from './verify.ts';

const port = parentPort;
if (!port) throw new Error('this file is a worker thread of authenticator.ts');

const { hostname, dnsServers } = workerData as ThreadOptions;
const dns = new Dns(dnsServers);

port.on('message', (job: Job) => {
  void verify(job, hostname, dns).then((checked) =>
    port.postMessage({ id: job.id, lookups: dns.takeLookups(), ...checked } satisfies ThreadAnswer),
  );
});
