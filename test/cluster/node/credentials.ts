// The cluster's authority, its one server certificate, and a token for everything that speaks to the API server.
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../../../images/command.ts';
import { API_SERVICE_ADDRESS, CLUSTER_DOMAIN, MORE_NODES, NODE, NODE_ADDRESS } from './addresses.ts';

const DAYS = '3650';
const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Who speaks to the API server: file name, user, groups. */
const USERS = [
  ['admin', 'system:admin', 'system:masters'],
  ['controllers', 'system:kube-controller-manager', ''],
  ['scheduler', 'system:kube-scheduler', ''],
  ['proxy', 'system:kube-proxy', ''],
  ['dns', 'system:coredns', 'system:masters'],
  // All that there may ever be: the API server reads the list at its start.
  ...[NODE, ...Object.keys(MORE_NODES)].map((name) => [name, `system:node:${name}`, 'system:nodes'] as const),
] as const;

/**
 * Makes all credentials in a folder.
 * @param outside the API server's URL as this machine reaches it; for the kubeconfig at `kubeconfig`
 */
export async function makeCredentials(folder: string, kubeconfig: string, outside: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const openssl = async (...args: string[]): Promise<string> =>
    await command('openssl', args, { cwd: folder });
  await openssl(
    'req',
    '-x509',
    ...NEW_KEY,
    '-days',
    DAYS,
    '-subj',
    '/CN=cellpost-ca',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
  );
  // It is also the API server's client certificate at the kubelet.
  const subject = '/O=system:masters/CN=kube-apiserver';
  await openssl('req', ...NEW_KEY, '-subj', subject, '-keyout', 'apiserver.key', '-out', 'apiserver.csr');
  const service = 'kubernetes.default.svc';
  const names = ['localhost', 'kubernetes', 'kubernetes.default', service, `${service}.${CLUSTER_DOMAIN}`];
  const addresses = ['127.0.0.1', API_SERVICE_ADDRESS, NODE_ADDRESS];
  await writeFile(
    join(folder, 'extensions'),
    `subjectAltName=${[...names.map((name) => `DNS:${name}`), ...addresses.map((address) => `IP:${address}`)].join()}
extendedKeyUsage=serverAuth,clientAuth
keyUsage=digitalSignature
`,
  );
  const signed = [
    '-CA',
    'ca.crt',
    '-CAkey',
    'ca.key',
    '-CAcreateserial',
    '-days',
    DAYS,
    '-extfile',
    'extensions',
  ];
  await openssl('x509', '-req', '-in', 'apiserver.csr', ...signed, '-out', 'apiserver.crt');
  await openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'service-accounts.key');
  await openssl('ec', '-in', 'service-accounts.key', '-pubout', '-out', 'service-accounts.pub');

  const lines: string[] = [];
  const authority = join(folder, 'ca.crt');
  for (const [file, user, group] of USERS) {
    const token = randomBytes(16).toString('hex');
    lines.push(`${token},${user},${user}${group && `,"${group}"`}`);
    const inside = kubeconfigText(`https://${NODE_ADDRESS}:6443`, authority, token);
    await writeFile(join(folder, `${file}.kubeconfig`), inside, { mode: 0o600 });
    if (file === 'admin')
      await writeFile(kubeconfig, kubeconfigText(outside, authority, token), { mode: 0o600 });
  }
  await writeFile(join(folder, 'tokens.csv'), `${lines.join('\n')}\n`, { mode: 0o600 });
}

function kubeconfigText(server: string, authority: string, token: string): string {
  return `apiVersion: v1
kind: Config
current-context: cellpost
clusters: [{ name: cellpost, cluster: { server: "${server}", certificate-authority: "${authority}" } }]
users: [{ name: user, user: { token: ${token} } }]
contexts: [{ name: cellpost, context: { cluster: cellpost, user: user } }]
`;
}
