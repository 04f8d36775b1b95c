// A real Kubernetes API server with its etcd on 127.0.0.1, without a node: for what the operator says to the API.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { KubeConfig } from '@kubernetes/client-node';
import { until } from '../support/wait.ts';
import { kubeBinary } from '../cluster/binaries.ts';

const run = promisify(execFile);
const START_DEADLINE_MS = 90_000;

export type ApiServer = {
  config: KubeConfig;
  /** For programs of their own, such as the operator's. */
  kubeconfig: string;
  /** Runs kubectl with an input; what it prints, or an error with what it printed. */
  kubectl(args: string[], input?: string): Promise<string>;
  /** `kubectl apply` of objects; what it prints, or an error with what it printed. */
  apply(...objects: unknown[]): Promise<string>;
  /** A kubeconfig of a service account that exists: it may do what RBAC lets it. */
  kubeconfigOf(namespace: string, serviceAccount: string): Promise<string>;
  /** Ends the API server as a crash does; etcd stays. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  restart(): Promise<void>;
  /** What service accounts have asked of it so far. */
  audit(): Promise<AuditEvent[]>;
  /** Forgets all history before now, so that older resource versions answer 410. */
  compact(): Promise<void>;
  close(): Promise<void>;
};

/** Of the API server's audit log (audit.k8s.io/v1 Event), as far as rights go. */
type AuditEvent = {
  verb: string;
  user: { username: string };
  objectRef?: { apiGroup?: string; resource: string; subresource?: string };
  responseStatus?: { code: number };
  annotations?: { 'authorization.k8s.io/decision'?: 'allow' | 'forbid' };
};

/** Everything that a service account asks, and nothing else. */
const AUDIT_POLICY = {
  apiVersion: 'audit.k8s.io/v1',
  kind: 'Policy',
  omitStages: ['RequestReceived'],
  rules: [{ level: 'Metadata', userGroups: ['system:serviceaccounts'] }, { level: 'None' }],
};

export type ApiServerOptions = {
  /** Also runs the garbage collector and the controllers that make pods (there is no node to run them). */
  controllers?: boolean;
  /** More flags of each process; the last of a name counts. */
  flags?: { etcd?: string[]; server?: string[]; controllers?: string[] };
};

export async function startApiServer(options: ApiServerOptions = {}): Promise<ApiServer> {
  const binary = await kubeBinary();
  const home = await mkdtemp(join(tmpdir(), 'cellpost-api-'));
  const [client, peer, port] = [await freePort(), await freePort(), await freePort()];
  const etcdUrl = `http://127.0.0.1:${client}`;
  const peerUrl = `http://127.0.0.1:${peer}`;
  const token = randomBytes(16).toString('hex');
  const { publicKey, privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  await writeFile(join(home, 'sa.pub'), publicKey);
  await writeFile(join(home, 'sa.key'), privateKey, { mode: 0o600 });
  await writeFile(join(home, 'tokens.csv'), `${token},admin,admin,"system:masters"\n`, { mode: 0o600 });

  const auditPolicy = join(home, 'audit-policy.json');
  const auditLog = join(home, 'audit.log');
  await writeFile(auditPolicy, JSON.stringify(AUDIT_POLICY));

  const children = new Set<ChildProcess>();
  const start = (args: string[]): ChildProcess => {
    const child = spawn(binary, args, { stdio: ['ignore', 'ignore', 'ignore'], cwd: home });
    children.add(child);
    child.once('exit', () => children.delete(child));
    return child;
  };
  const close = async (): Promise<void> => {
    await Promise.all([...children].map(end));
    await rm(home, { recursive: true, force: true });
  };

  try {
    start([
      'etcd',
      '--name=s',
      `--data-dir=${join(home, 'etcd')}`,
      '--unsafe-no-fsync',
      '--log-level=error',
      `--listen-client-urls=${etcdUrl}`,
      `--advertise-client-urls=${etcdUrl}`,
      `--listen-peer-urls=${peerUrl}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=s=${peerUrl}`,
      ...(options.flags?.etcd ?? []),
    ]);
    const startServer = (): ChildProcess =>
      start([
        'kube-apiserver',
        `--etcd-servers=${etcdUrl}`,
        '--etcd-compaction-interval=0',
        '--bind-address=127.0.0.1',
        '--advertise-address=127.0.0.1',
        '--endpoint-reconciler-type=none',
        `--secure-port=${port}`,
        `--cert-dir=${join(home, 'certs')}`,
        '--service-cluster-ip-range=10.96.0.0/16',
        '--service-account-issuer=https://kubernetes.default.svc',
        `--service-account-key-file=${join(home, 'sa.pub')}`,
        `--service-account-signing-key-file=${join(home, 'sa.key')}`,
        '--authorization-mode=RBAC',
        `--token-auth-file=${join(home, 'tokens.csv')}`,
        // Both want controllers that only run with `controllers`.
        ...(options.controllers
          ? []
          : ['--disable-admission-plugins=ServiceAccount,StorageObjectInUseProtection']),
        `--audit-policy-file=${auditPolicy}`,
        `--audit-log-path=${auditLog}`,
        '--profiling=false',
        ...(options.flags?.server ?? []),
      ]);
    let server = startServer();

    const certificate = join(home, 'certs', 'apiserver.crt');
    const ca = await until(() => readFile(certificate).catch(() => undefined), {
      timeoutMs: START_DEADLINE_MS,
      what: 'the API server',
    });
    const config = new KubeConfig();
    const cluster = {
      name: 'test',
      server: `https://127.0.0.1:${port}`,
      caData: ca.toString('base64'),
      skipTLSVerify: false,
    };
    config.loadFromClusterAndUser(cluster, { name: 'admin', token });
    const kubeconfig = join(home, 'kubeconfig');
    await writeFile(kubeconfig, config.exportConfig(), { mode: 0o600 });
    const kubeconfigOf = async (namespace: string, serviceAccount: string): Promise<string> => {
      const token = await kubectl(['create', 'token', '-n', namespace, serviceAccount]);
      const other = new KubeConfig();
      other.loadFromClusterAndUser(cluster, { name: serviceAccount, token: token.trim() });
      const path = join(home, `${namespace}-${serviceAccount}.kubeconfig`);
      await writeFile(path, other.exportConfig(), { mode: 0o600 });
      return path;
    };
    const kubectl = async (args: string[], input?: string): Promise<string> => {
      const child = run(binary, ['kubectl', `--kubeconfig=${kubeconfig}`, ...args]);
      child.child.stdin?.end(input ?? '');
      return (await child).stdout;
    };
    const ready = (): Promise<unknown> =>
      until(() => kubectl(['get', 'ns', 'default', '-o', 'name']).catch(() => undefined), {
        timeoutMs: START_DEADLINE_MS,
        what: 'the API server',
      });
    await ready();
    if (options.controllers) {
      start([
        'kube-controller-manager',
        `--kubeconfig=${kubeconfig}`,
        '--leader-elect=false',
        '--secure-port=0',
        `--service-account-private-key-file=${join(home, 'sa.key')}`,
        ...(options.flags?.controllers ?? []),
      ]);
    }
    return {
      config,
      kubeconfig,
      kubectl,
      apply: (...items) =>
        kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items })),
      kubeconfigOf,
      kill: () => end(server),
      async restart() {
        server = startServer();
        await ready();
      },
      async audit() {
        const lines = (await readFile(auditLog, 'utf8')).trim().split('\n');
        return lines.map((line) => JSON.parse(line) as AuditEvent);
      },
      async compact() {
        const post = async (path: string, body: unknown): Promise<Response> =>
          fetch(`${etcdUrl}/v3/kv/${path}`, { method: 'POST', body: JSON.stringify(body) });
        const range = await post('range', { key: Buffer.from('/').toString('base64'), limit: 1 });
        const { header } = (await range.json()) as { header: { revision: string } };
        await post('compaction', { revision: header.revision, physical: true });
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (typeof address !== 'object' || !address) throw new Error('No port.');
  return address.port;
}
