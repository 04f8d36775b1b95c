// How fast mail is accepted, durably: `npm run bench:smtp`. Postfix's smtp-source sends messages of 4 KiB by 20 clients, each
// to a mailbox of its own, on kept connections and with a connection for each message; first to Cellpost (SMTP, parsed, in
// the user's log, 250), then to a Postfix of this machine that holds them in its queue on the same disk, and so on in turns.
// Every message that was acknowledged must be in its mailbox afterwards, once.
//   --store hbase      the logs are in a real one-node HBase with hsync; the default is SQLite
//   --rounds 3         of each, after one that warms up
//   --messages 3000    a round
//   --profile FOLDER   CPU profiles of Cellpost's processes
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { userKey } from '../../workloads/common/keys.ts';
import { ensureSchema } from '../../workloads/common/hbase/schema.ts';
import { startHbase } from '../real/hbase.ts';
import { postfixPrograms, startPostfix, type PostfixPrograms } from '../real/postfix.ts';
import { childrenRunning, cpuSeconds, endedChildrenCpuSeconds, treeCpuSeconds } from './support/processes.ts';
import { startServices, type Services } from './support/services.ts';

const CLIENTS = 20;
const MESSAGE_BYTES = 4_096;
const DOMAIN = 'cellpost.test';
const REGIONS = 4;
const MODES = { kept: ['-d'], each: [] } as const;

type Mode = keyof typeof MODES;
type Round = { perSecond: number; cpu: Map<string, number> };
type Peer = { port: number; cpu(): Promise<Map<string, number>> };

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'sqlite' },
    rounds: { type: 'string', default: '3' },
    messages: { type: 'string', default: '3000' },
    profile: { type: 'string' },
  },
});
const rounds = Number(values.rounds);
const perClient = Math.ceil(Number(values.messages) / CLIENTS);

const address = (client: number): string => `client${client}@${DOMAIN}`;

/** Sends a round's messages; a client whose message is not acknowledged ends the benchmark. */
async function send(programs: PostfixPrograms, mode: Mode, port: number): Promise<void> {
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const args = ['-s', '1', '-m', String(perClient), '-l', String(MESSAGE_BYTES), '-f', `from@${DOMAIN}`];
    const child = spawn(
      programs.smtpSource,
      [...MODES[mode], ...args, '-t', address(client), `127.0.0.1:${port}`],
      { env: programs.env, stdio: ['ignore', 'ignore', 'inherit'] },
    );
    const [code] = (await once(child, 'exit')) as [number | null];
    if (code !== 0) throw new Error(`smtp-source of client ${client} ended with ${code}.`);
  });
  await Promise.all(clients);
}

async function run(programs: PostfixPrograms, mode: Mode, peer: Peer): Promise<Round> {
  const before = await peer.cpu();
  const clientsBefore = await endedChildrenCpuSeconds(process.pid);
  const began = performance.now();
  await send(programs, mode, peer.port);
  const seconds = (performance.now() - began) / 1_000;
  const messages = CLIENTS * perClient;
  const perMessage = (cpu: number): number => (cpu * 1_000_000) / messages;
  const after = await peer.cpu();
  const cpu = new Map([...after].map(([name, used]) => [name, perMessage(used - (before.get(name) ?? 0))]));
  cpu.set('smtp-source', perMessage((await endedChildrenCpuSeconds(process.pid)) - clientsBefore));
  return { perSecond: messages / seconds, cpu };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const [low = 0, high = 0] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[middle]];
  return (low + high) / 2;
}

/** Emails of a user, by JMAP at its app server. */
async function countEmails({ cells }: Services, client: number): Promise<number> {
  const userId = await cells.resolveAddress(address(client));
  if (!userId) throw new Error(`${address(client)} is gone.`);
  const response = await cells.request(userKey(userId), {
    method: 'POST',
    path: `/users/${userId}/jmap/api`,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      using: ['urn:ietf:params:jmap:core', 'urn:ietf:params:jmap:mail'],
      methodCalls: [['Email/query', { accountId: userId, limit: 1, calculateTotal: true }, '0']],
    }),
    idempotent: true,
  });
  const answer = (await response.json()) as { methodResponses: [[string, { total: number }]] };
  return answer.methodResponses[0][1].total;
}

function print(name: string, mode: Mode, results: readonly Round[]): void {
  const speeds = results.map((round) => Math.round(round.perSecond));
  console.log(
    `${name.padEnd(9)} ${mode.padEnd(5)} ${Math.round(median(speeds))} msg/s (${speeds.join(', ')})`,
  );
  const names = [...(results[0]?.cpu.keys() ?? [])];
  const used = names.map((one) => {
    const microseconds = median(results.map((round) => round.cpu.get(one) ?? 0));
    return `${one} ${Math.round(microseconds)}`;
  });
  console.log(`          CPU µs a message: ${used.join(', ')}`);
}

async function openLogs(resources: AsyncDisposableStack): Promise<{
  logStore: (cell: string, folder: string) => string;
  cpu: () => Promise<[string, number][]>;
}> {
  if (values.store !== 'hbase')
    return { logStore: (cell, folder) => `sqlite:${folder}/${cell}.db`, cpu: async () => [] };
  const hbase = await startHbase();
  resources.defer(() => hbase.close());
  for (const cell of ['a', 'b'])
    await ensureSchema({
      restUrl: hbase.restUrl,
      master: hbase.master,
      table: `cell-${cell}`,
      regions: REGIONS,
    });
  return {
    logStore: (cell) => `hbase://${hbase.master},${hbase.regionServer}/cell-${cell}`,
    cpu: async () => {
      const javas = await Promise.all((await childrenRunning(process.pid, 'java')).map(cpuSeconds));
      return [['HBase and ZooKeeper', javas.reduce((sum, one) => sum + one, 0)]];
    },
  };
}

await using resources = new AsyncDisposableStack();
const programs = await postfixPrograms();
const postfix = await startPostfix(DOMAIN);
resources.defer(() => postfix.close());
const logs = await openLogs(resources);
const services = await startServices({ logStore: logs.logStore, profileFolder: values.profile });
resources.defer(() => services.close());
for (let client = 0; client < CLIENTS; client++) {
  await services.cells.createUser({
    addresses: [address(client)],
    displayName: `Client ${client}`,
    password: 'password',
  });
}
const peers: Record<'Cellpost' | 'Postfix', Peer> = {
  Cellpost: {
    port: services.smtpPort,
    async cpu() {
      const own = [...services.pids].map(async ([name, pid]) => [name, await cpuSeconds(pid)] as const);
      return new Map([...(await Promise.all(own)), ...(await logs.cpu())]);
    },
  },
  Postfix: {
    port: postfix.port,
    cpu: async () => new Map([['postfix', await treeCpuSeconds(postfix.pid)]]),
  },
};
console.log(
  `${CLIENTS} clients, ${CLIENTS * perClient} messages of ${MESSAGE_BYTES} bytes a round, logs in ${values.store}, medians of ${rounds} rounds`,
);
for (const mode of ['kept', 'each'] as const) {
  const results: Record<keyof typeof peers, Round[]> = { Cellpost: [], Postfix: [] };
  for (let round = 0; round <= rounds; round++) {
    for (const name of ['Cellpost', 'Postfix'] as const) {
      const result = await run(programs, mode, peers[name]);
      if (round > 0) results[name].push(result);
    }
  }
  for (const name of ['Cellpost', 'Postfix'] as const) print(name, mode, results[name]);
  const speed = (name: keyof typeof peers): number => median(results[name].map((round) => round.perSecond));
  console.log(`          ${mode}: ${(speed('Cellpost') / speed('Postfix')).toFixed(2)} times Postfix\n`);
}
const sent = (rounds + 1) * 2 * perClient;
let lost = 0;
for (let client = 0; client < CLIENTS; client++) {
  const stored = await countEmails(services, client);
  if (stored !== sent)
    console.log(`${address(client)} has ${stored} emails of ${sent} that were acknowledged.`);
  lost += sent - stored;
}
const queued = await postfix.queued();
console.log(`Acknowledged ${sent * CLIENTS}, missing ${lost}; Postfix holds ${queued}.`);
process.exitCode = lost === 0 && queued === sent * CLIENTS ? 0 : 1;
