// A steady load on a platform, of mail and JMAP, that counts every error: what users notice of a change.
import { setTimeout as delay } from 'node:timers/promises';
import { openJmap } from '../../support/jmap.ts';
import type { TestCluster } from './cluster.ts';
import { NAMESPACE, PASSWORD, newLoad, send, type SmtpLoad, type User } from './mail.ts';

/** Between two requests of one user: steady, and gentle to two cores. */
const PAUSE_MS = 100;

/** Requests that were answered, those that failed and how, and the longest answer. */
type JmapLoad = { requests: number; failures: string[]; longestMs: number };
export type LoadReport = { jmap: JmapLoad; mail: SmtpLoad & { failures: string[] } };

export type Load = {
  /** So far. */
  report: LoadReport;
  /** Ends the load; resolves when what is under way is answered. */
  stop(): Promise<LoadReport>;
};

/** Where the platform is: the URL of its web server, and the place of its MTA proxy. */
export type Doors = { web: string; smtp: { host: string; port: number } };

/**
 * Each user reads the mailbox over JMAP, and the first one gets mails, one after another, without a second try.
 * @param name subjects of mails begin with it
 */
export async function startLoad(cluster: TestCluster, users: readonly User[], name: string): Promise<Load> {
  const web = await cluster.forward(NAMESPACE, 'svc/cellpost-web', 80);
  const smtp = await cluster.forward(NAMESPACE, 'svc/cellpost-mta-proxy', 25);
  const doors = { web: `http://127.0.0.1:${web.port}`, smtp: { host: '127.0.0.1', port: smtp.port } };
  const load = loadDoors(doors, users, name);
  return {
    report: load.report,
    async stop() {
      try {
        return await load.stop();
      } finally {
        await Promise.all([web.close(), smtp.close()]);
      }
    },
  };
}

/** The same load on doors that can be reached from here. */
export function loadDoors(doors: Doors, users: readonly User[], name: string): Load {
  const [receiver] = users;
  if (!receiver) throw new Error('A load needs users.');
  const stopped = new AbortController();
  const report: LoadReport = {
    jmap: { requests: 0, failures: [], longestMs: 0 },
    mail: { ...newLoad(name), failures: [] },
  };
  const again = async (work: () => Promise<void>, kind: { failures: string[]; longestMs: number }) => {
    while (!stopped.signal.aborted) {
      const start = performance.now();
      try {
        await work();
      } catch (error) {
        kind.failures.push(
          `${new Date().toISOString()} ${error instanceof Error ? error.message : String(error)}`,
        );
      }
      kind.longestMs = Math.max(kind.longestMs, performance.now() - start);
      await delay(PAUSE_MS);
    }
  };
  const readers = users.map(async ({ address }) => {
    const jmap = await openJmap(doors.web, address, PASSWORD);
    await again(async () => {
      await jmap.call(['Mailbox/get', { accountId: jmap.accountId }, 'm']);
      report.jmap.requests++;
    }, report.jmap);
  });
  let count = 0;
  const sender = again(async () => {
    const subject = `${name} ${count++}`;
    await send(doors.smtp, receiver.address, subject);
    report.mail.acknowledged.push(subject);
  }, report.mail);
  const over = Promise.all([...readers, sender]);
  // Told by stop(); until then nobody listens.
  over.catch(() => undefined);
  return {
    report,
    async stop() {
      stopped.abort();
      await over;
      report.mail.refused = report.mail.failures.length;
      return report;
    },
  };
}
