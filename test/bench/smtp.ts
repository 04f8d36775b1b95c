// How fast mail is accepted, durably: `npm run bench:smtp`. Postfix's smtp-source sends messages of 4 KiB by 20 clients, each
// to a mailbox of its own, on kept connections and with a connection for each message; first to Cellpost (SMTP, parsed, in
// the user's log, 250), then to a Postfix of this machine that holds them in its queue on the same disk, and so on in turns.
// Every message that was acknowledged must be in its mailbox afterwards, once.
//   --store hbase      the logs are in a real one-node HBase with hsync; the default is SQLite
//   --cells 2          and
//   --app-servers 2    of each cell
//   --rounds 3         of each, after one that warms up
//   --messages 3000    a round
//   --warm-up 0        so many messages to Cellpost before the first round: a JVM takes tens of thousands to compile what it runs
//   --profile FOLDER   CPU profiles of Cellpost's processes
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { CELL_NAMES } from '../../embedded/settings.ts';
import { userKey } from '../../workloads/common/keys.ts';
import { ensureSchema } from '../../workloads/common/hbase/schema.ts';
import { startHbase } from '../real/hbase.ts';
import { postfixPrograms, startPostfix, type PostfixPrograms } from '../real/postfix.ts';
import { machine } from './support/cpu.ts';
import { alternate, median } from './support/measure.ts';
import { cpuSeconds, endedChildrenCpuSeconds, treeCpuSeconds } from './support/processes.ts';
import { startServices, type Services } from './support/services.ts';
import { table } from './support/table.ts';

const CLIENTS = 20;
const MESSAGE_BYTES = 4_096;
const DOMAIN = 'cellpost.test';
const REGIONS = 4;
const MODES = { kept: ['-d'], each: [] } as const;

type Mode = keyof typeof MODES;
/** Microseconds of processor time that a message took, by process. */
type Round = { perSecond: number; cpu: Map<string, number> };
/** Seconds of processor time so far, by process. */
type Cpu = [name: string, seconds: number][];
type Peer = { port: number; cpu(): Promise<Cpu> };

const { values } = parseArgs({
  options: {
    store: { type: 'string', default: 'sqlite' },
    cells: { type: 'string', default: '2' },
    'app-servers': { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    messages: { type: 'string', default: '3000' },
    'warm-up': { type: 'string', default: '0' },
    profile: { type: 'string' },
  },
});
const cellNames = CELL_NAMES.slice(0, Number(values.cells));
const appServers = Number(values['app-servers']);
const rounds = Number(values.rounds);
const perClient = Math.ceil(Number(values.messages) / CLIENTS);
const warmUpPerClient = Math.ceil(Number(values['warm-up']) / CLIENTS);

const address = (client: number): string => `client${client}@${DOMAIN}`;

/** Sends so many messages by each client; one whose message is not acknowledged ends the benchmark. */
async function send(
  programs: PostfixPrograms,
  mode: Mode,
  port: number,
  messages = perClient,
): Promise<void> {
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    const args = ['-s', '1', '-m', String(messages), '-l', String(MESSAGE_BYTES), '-f', `from@${DOMAIN}`];
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
  const used = async (): Promise<Cpu> => [
    ...(await peer.cpu()),
    ['smtp-source', await endedChildrenCpuSeconds(process.pid)],
  ];
  const before = new Map(await used());
  const began = performance.now();
  await send(programs, mode, peer.port);
  const tookMs = performance.now() - began;
  const messages = CLIENTS * perClient;
  const cpu = new Map<string, number>();
  for (const [name, seconds] of await used())
    cpu.set(name, ((seconds - (before.get(name) ?? 0)) * 1_000_000) / messages);
  return { perSecond: (messages / tookMs) * 1_000, cpu };
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

function cpuOf(rounds: readonly Round[]): [name: string, microseconds: number][] {
  return [...(rounds[0]?.cpu.keys() ?? [])].map((name) => [
    name,
    Math.round(median(rounds.map((round) => round.cpu.get(name) ?? 0))),
  ]);
}

type Logs = { logStore: (cell: string, folder: string) => string; cpu: () => Promise<Cpu> };

async function openLogs(resources: AsyncDisposableStack): Promise<Logs> {
  if (values.store !== 'hbase')
    return { logStore: (cell, folder) => `sqlite:${folder}/${cell}.db`, cpu: async () => [] };
  const hbase = await startHbase();
  resources.defer(() => hbase.close());
  for (const cell of cellNames) {
    const table = `cell-${cell}`;
    await ensureSchema({ restUrl: hbase.restUrl, master: hbase.master, table, regions: REGIONS });
  }
  return {
    logStore: (cell) => `hbase://${hbase.master},${hbase.regionServer}/cell-${cell}`,
    cpu: async () => {
      const [master, regionServer] = [hbase.pid('master'), hbase.pid('regionServer')];
      return [['HBase', (await cpuSeconds(master)) + (await cpuSeconds(regionServer))]];
    },
  };
}

await using resources = new AsyncDisposableStack();
const programs = await postfixPrograms();
const postfix = await startPostfix(DOMAIN);
resources.defer(() => postfix.close());
const logs = await openLogs(resources);
const services = await startServices({
  cells: cellNames,
  appServers,
  logStore: logs.logStore,
  profileFolder: values.profile,
});
resources.defer(() => services.close());
for (let client = 0; client < CLIENTS; client++) {
  await services.cells.createUser({
    addresses: [address(client)],
    displayName: `Client ${client}`,
    password: 'password',
  });
}
const cellpost: Peer = {
  port: services.smtpPort,
  async cpu() {
    const own = Array.from(services.pids, async ([name, pid]): Promise<Cpu[0]> => [
      name,
      await cpuSeconds(pid),
    ]);
    return [...(await Promise.all(own)), ...(await logs.cpu())];
  },
};
const peer: Peer = {
  port: postfix.port,
  cpu: async () => [['postfix', await treeCpuSeconds(postfix.pid)]],
};
console.log(
  `${machine()}; ${cellNames.length} cells of ${appServers} app servers, logs in ${values.store}; ${CLIENTS} clients, ${CLIENTS * perClient} messages a round, ${CLIENTS * warmUpPerClient} before them\n`,
);
if (warmUpPerClient > 0) await send(programs, 'kept', services.smtpPort, warmUpPerClient);
const speeds: (string | number)[][] = [];
const uses: (string | number)[][] = [];
for (const mode of ['kept', 'each'] as const) {
  const { Cellpost = [], Postfix = [] } = await alternate(rounds, {
    Cellpost: () => run(programs, mode, cellpost),
    Postfix: () => run(programs, mode, peer),
  });
  const ratios = Cellpost.map((round, i) => round.perSecond / (Postfix[i]?.perSecond ?? 0));
  const speed = (results: readonly Round[]): number => median(results.map((round) => round.perSecond));
  speeds.push([mode, speed(Cellpost), speed(Postfix), ratios.map((one) => one.toFixed(2)).join(', ')]);
  for (const [name, microseconds] of cpuOf(Cellpost)) uses.push([mode, `Cellpost: ${name}`, microseconds]);
  for (const [name, microseconds] of cpuOf(Postfix)) uses.push([mode, `Postfix: ${name}`, microseconds]);
}
console.log(table(['connections', 'Cellpost msg/s', 'Postfix msg/s', 'ratio, round by round'], speeds));
console.log(`\n${table(['connections', 'process', 'CPU µs a message'], uses)}\n`);
const sent = (rounds + 1) * 2 * perClient;
const acknowledged = sent + warmUpPerClient;
let lost = 0;
for (let client = 0; client < CLIENTS; client++) {
  const stored = await countEmails(services, client);
  if (stored !== acknowledged)
    console.log(`${address(client)} has ${stored} emails of ${acknowledged} that were acknowledged.`);
  lost += acknowledged - stored;
}
const queued = await postfix.queued();
console.log(`Acknowledged ${acknowledged * CLIENTS}, missing ${lost}; Postfix holds ${queued}.`);
process.exitCode = lost === 0 && queued === sent * CLIENTS ? 0 : 1;
