// A steady load on a platform, of mail and JMAP, that counts every error: what users notice of a change.
import { setTimeout as delay } from 'node:timers/promises';
import { openJmap, type Invocation, type JmapClient } from '../../support/jmap.ts';
import type { TestCluster } from './cluster.ts';
import { Recorder, type LoadReport } from './load-report.ts';
import { NAMESPACE, PASSWORD, assertKept, send, type User } from './mail.ts';

/** Between two JMAP requests of one user, and between two mails to one: steady, and gentle to two cores. */
const PAUSE_MS = 100;
const MAIL_PAUSE_MS = 200;
/** Of the newest mails that a reading shows. */
const SHOWN = 5;

export type Load = {
  /** So far. */
  report: LoadReport;
  /** Says what goes on from now on: stalls are told apart by it. */
  enter(label: string): void;
  /** Ends the load; resolves when what is under way is answered. */
  stop(): Promise<LoadReport>;
};

/** Where the platform is: the URL of its web server, and the place of its MTA proxy. */
export type Doors = { web: string; smtp: { host: string; port: number } };

/**
 * Each user gets mails one after another, reads the mailbox over JMAP and flags the newest mail or takes the flag away,
 * all without a second try. A method's error in an answer of 200 is a failure, and so is a flag that was set and is not
 * there.
 * @param name subjects of mails begin with it
 */
export async function startLoad(cluster: TestCluster, users: readonly User[], name: string): Promise<Load> {
  const web = await cluster.forward(NAMESPACE, 'svc/cellpost-web', 80);
  const smtp = await cluster.forward(NAMESPACE, 'svc/cellpost-mta-proxy', 25);
  const doors = { web: `http://127.0.0.1:${web.port}`, smtp: { host: '127.0.0.1', port: smtp.port } };
  const load = loadDoors(doors, users, name);
  return {
    ...load,
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
  const stopped = new AbortController();
  const recorder = new Recorder(users.map(({ address }) => address));
  const again = async (pauseMs: number, work: () => Promise<void>): Promise<void> => {
    while (!stopped.signal.aborted) {
      await work();
      await delay(pauseMs);
    }
  };
  const over = Promise.all(
    users.flatMap(({ address }) => [
      (async () => {
        const mailbox = new Mailbox(await openJmap(doors.web, address, PASSWORD));
        await again(PAUSE_MS, async () => {
          await recorder.record('read', address, () => mailbox.read());
          if (mailbox.canWrite) await recorder.record('write', address, () => mailbox.write());
        });
      })(),
      (async () => {
        let count = 0;
        await again(MAIL_PAUSE_MS, async () => {
          const subject = `${name} ${count++}`;
          await recorder.record('mail', address, async () => {
            await send(doors.smtp, address, subject);
            recorder.report.acknowledged[address]?.push(subject);
          });
        });
      })(),
    ]),
  );
  // Told by stop(); until then nobody listens.
  over.catch(() => undefined);
  return {
    report: recorder.report,
    enter: (label) => recorder.enter(label),
    async stop() {
      stopped.abort();
      await over;
      return recorder.report;
    },
  };
}

/** Each mail that was acknowledged is in its user's mailboxes, once. */
export async function assertLoadKept(
  cluster: TestCluster,
  users: readonly User[],
  { acknowledged }: LoadReport,
): Promise<void> {
  for (const user of users) await assertKept(cluster, user, acknowledged[user.address] ?? []);
}

/** One user's view: what was read last, and what was written and must be read from then on. */
class Mailbox {
  readonly #jmap: JmapClient;
  #newest: { id: string; flagged: boolean } | undefined;
  /** Its answer came: each later reading must show it. */
  #written: { id: string; flagged: boolean } | undefined;

  constructor(jmap: JmapClient) {
    this.#jmap = jmap;
  }

  get canWrite(): boolean {
    return this.#newest !== undefined;
  }

  async read(): Promise<void> {
    const { accountId } = this.#jmap;
    const properties = ['id', 'keywords'];
    const calls: Invocation[] = [
      ['Mailbox/get', { accountId }, 'm'],
      [
        'Email/query',
        { accountId, sort: [{ property: 'receivedAt', isAscending: false }], limit: SHOWN },
        'q',
      ],
      [
        'Email/get',
        { accountId, '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' }, properties },
        'n',
      ],
      ['Email/get', { accountId, ids: this.#written ? [this.#written.id] : [], properties }, 'w'],
    ];
    const [, , newest, written] = await this.#call(calls);
    const [first] = emailsOf(newest);
    if (this.#written) {
      const [email] = emailsOf(written);
      if (email?.flagged !== this.#written.flagged)
        throw new Error(`The flag of ${this.#written.id} was set to ${this.#written.flagged} and is not so.`);
    }
    this.#newest = first;
  }

  async write(): Promise<void> {
    const email = this.#newest;
    if (!email) return;
    const { accountId } = this.#jmap;
    const flagged = !email.flagged;
    // Until the answer comes nobody knows which of the two holds.
    this.#written = undefined;
    const update = { [email.id]: { 'keywords/$flagged': flagged || null } };
    const [set] = await this.#call([['Email/set', { accountId, update }, 's']]);
    const refused = set?.[1].notUpdated as Record<string, unknown> | null | undefined;
    if (refused && Object.keys(refused).length > 0) throw new Error(`notUpdated: ${JSON.stringify(refused)}`);
    this.#written = { id: email.id, flagged };
  }

  /** @throws for the first error of a method, too */
  async #call(calls: Invocation[]): Promise<Invocation[]> {
    const answers = await this.#jmap.call(...calls);
    const error = answers.find(([method]) => method === 'error');
    if (error) throw new Error(`${error[2]}: ${JSON.stringify(error[1])}`);
    return answers;
  }
}

function emailsOf(answer: Invocation | undefined): { id: string; flagged: boolean }[] {
  const list = (answer?.[1].list ?? []) as { id: string; keywords: Record<string, boolean> }[];
  return list.map(({ id, keywords }) => ({ id, flagged: keywords.$flagged === true }));
}
