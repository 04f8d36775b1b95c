// Mail in and out of a cluster, as its users see it: SMTP at the MTA proxy, JMAP at app servers, cellctl in a pod.
import assert from 'node:assert/strict';
import { createTransport } from 'nodemailer';
import { basic, type Invocation } from '../../support/jmap.ts';
import { until } from '../../support/wait.ts';
import type { TestCluster } from './cluster.ts';

export const NAMESPACE = 'cellpost';
export const PASSWORD = 'a long enough password';
/** A pod that comes back: HBase needs the longest, about half a minute on two idle cores. */
export const BACK_DEADLINE_MS = 180_000;
const SMTP_START_MS = 10_000;

export type User = { address: string; userId: string; cell: string; node: string };

/** cellctl inside the cluster, where the cells' names are known. */
export async function cellctl<T>(cluster: TestCluster, args: string[], input = ''): Promise<T> {
  const pod = ['exec', '-i', `deploy/cellpost-web`, '-c', 'web', '--', 'node', 'cli/cellctl.ts'];
  return JSON.parse(await cluster.kubectl(['-n', NAMESPACE, ...pod, ...args, '--json'], input)) as T;
}

/** @returns the new user, and where it is */
export async function addUser(cluster: TestCluster, address: string): Promise<User> {
  await cellctl(cluster, ['user', 'add', address], PASSWORD);
  return await cellctl<User>(cluster, ['where', address]);
}

/** Does something with a port of a Service or pod; a forward that broke with its pod is made anew. */
export async function withPort<T>(
  cluster: TestCluster,
  target: string,
  port: number,
  work: (port: number) => Promise<T>,
): Promise<T> {
  const forward = await cluster.forward(NAMESPACE, target, port);
  try {
    return await work(forward.port);
  } finally {
    await forward.close();
  }
}

/**
 * Sends one mail; resolves when the MTA proxy has acknowledged it.
 * @param smtp a port of 127.0.0.1, or another host's
 * @throws whatever the proxy or the way to it said
 */
export async function send(
  smtp: number | { host: string; port: number },
  to: string,
  subject: string,
  attachments: { filename: string; content: Buffer }[] = [],
  from = 'sender@example.org',
): Promise<void> {
  const transport = createTransport({
    ...(typeof smtp === 'number' ? { host: '127.0.0.1', port: smtp } : smtp),
    secure: false,
    ignoreTLS: true,
    connectionTimeout: SMTP_START_MS,
    greetingTimeout: SMTP_START_MS,
    // An answer may wait for a region server to come back.
    socketTimeout: BACK_DEADLINE_MS,
  });
  try {
    const info = await transport.sendMail({
      from,
      to,
      subject,
      text: `${subject}, in words.`,
      attachments,
    });
    assert.match(info.response, /^250 /);
  } finally {
    transport.close();
  }
}

/** What became of a load: mails that were acknowledged, attempts that were not, and the longest wait for a 250. */
export type SmtpLoad = { name: string; acknowledged: string[]; refused: number; longestMs: number };

/** @param name the subjects begin with it */
export const newLoad = (name: string): SmtpLoad => ({ name, acknowledged: [], refused: 0, longestMs: 0 });

/** Sends mail after mail; one that was not acknowledged is counted and forgotten, the next is another. */
export async function sendUntil(
  cluster: TestCluster,
  signal: AbortSignal,
  { address }: User,
  load: SmtpLoad,
): Promise<void> {
  for (let count = 0; !signal.aborted;) {
    const forward = await cluster.forward(NAMESPACE, 'svc/cellpost-mta-proxy', 25).catch(() => undefined);
    if (!forward) continue;
    try {
      while (!signal.aborted) {
        const subject = `${load.name} ${count++}`;
        const start = performance.now();
        await send(forward.port, address, subject);
        load.longestMs = Math.max(load.longestMs, performance.now() - start);
        load.acknowledged.push(subject);
      }
    } catch {
      // Refused for now, or the way to the proxy is gone with its pod.
      load.refused++;
    } finally {
      await forward.close();
    }
  }
}

/** Every mail that was acknowledged is in the user's mailboxes, once; waits for somebody to serve the user. */
export async function assertKept(
  cluster: TestCluster,
  { address }: User,
  acknowledged: readonly string[],
): Promise<void> {
  const found = await until(
    async () => {
      const user = await cellctl<User>(cluster, ['where', address]);
      const read = (port: number): Promise<string[]> => subjectsAt(port, user);
      return await withPort(cluster, `pod/${user.node}`, 8081, read).catch(() => undefined);
    },
    { timeoutMs: BACK_DEADLINE_MS, what: 'the mailbox to be read', intervalMs: 1_000 },
  );
  assert.deepEqual(
    acknowledged.filter((subject) => !found.includes(subject)),
    [],
    'no acknowledged mail is missing',
  );
  assert.equal(new Set(found).size, found.length, 'no mail is there twice');
}

/** Emails a request: below what an app server gives out at once. */
const PAGE = 250;

/** Subjects in a user's mailboxes, read over JMAP from one app server. */
export async function subjectsAt(port: number, user: User): Promise<string[]> {
  const found: string[] = [];
  for (;;) {
    const page = await subjectsFrom(port, user, found.length);
    found.push(...page);
    if (page.length < PAGE) return found;
  }
}

async function subjectsFrom(port: number, { userId, address }: User, position: number): Promise<string[]> {
  const using = ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail'];
  const methodCalls: Invocation[] = [
    ['Email/query', { accountId: userId, position, limit: PAGE }, 'q'],
    [
      'Email/get',
      {
        accountId: userId,
        '#ids': { resultOf: 'q', name: 'Email/query', path: '/ids' },
        properties: ['subject'],
      },
      'g',
    ],
  ];
  const response = await fetch(`http://127.0.0.1:${port}/users/${userId}/jmap/api`, {
    method: 'POST',
    headers: { authorization: basic(address, PASSWORD), 'content-type': 'application/json' },
    body: JSON.stringify({ using, methodCalls }),
  });
  if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
  const { methodResponses } = (await response.json()) as { methodResponses: Invocation[] };
  const [name, answer] = methodResponses[1] ?? [];
  if (name !== 'Email/get') throw new Error(`${name}: ${JSON.stringify(answer)}`);
  return ((answer?.list ?? []) as { subject: string }[]).map(({ subject }) => subject);
}
