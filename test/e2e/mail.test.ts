// One mail through everything that a cluster runs: SMTP, the owner's app server, HBase, and JMAP back.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { createTransport } from 'nodemailer';
import { clusterMissing, type Cluster } from '../cluster/cluster.ts';
import { NAMESPACE } from '../cluster/install.ts';
import { openJmap } from '../support/jmap.ts';
import { until } from '../support/wait.ts';
import { forward, type Forward } from './support/forward.ts';
import { installedCluster } from './support/installed.ts';

/** Pods start anew, and a region has to be opened elsewhere or again. */
const RECOVERY_TIMEOUT_MS = 300_000;
const PASSWORD = 'correct horse';

describe('mail on a cluster', { skip: (await clusterMissing()) ?? false }, () => {
  const address = `${randomUUID().slice(0, 8)}@cellpost.test`;
  let cluster: Cluster;
  let smtp: Forward;
  let web: Forward;

  before(async () => {
    cluster = await installedCluster();
    await cellctl(['user', 'add', address], PASSWORD);
    smtp = await forward(cluster, 'service/cellpost-mta-proxy', 25);
    web = await forward(cluster, 'service/cellpost-web', 80);
  });
  after(async () => {
    await smtp?.close();
    await web?.close();
  });

  /** In a pod, where discovery and the app servers are reached. */
  const cellctl = async (args: string[], input?: string): Promise<string> =>
    await cluster.kubectl(
      ['-n', NAMESPACE, 'exec', '-i', 'deployment/cellpost-web', '--', 'node', 'cli/cellctl.ts', ...args],
      input === undefined ? {} : { input },
    );
  const send = async (subject: string): Promise<void> => {
    const transport = createTransport({ host: '127.0.0.1', port: smtp.port, ignoreTLS: true });
    await transport.sendMail({ from: 'you@example.org', to: address, subject, text: `About ${subject}.` });
    transport.close();
  };
  const subjects = async (): Promise<string[]> =>
    await (await openJmap(`http://127.0.0.1:${web.port}`, address, PASSWORD)).subjects('inbox');
  const untilRead = async (expected: string[]): Promise<void> => {
    await until(async () => (await subjects().catch(() => [])).join() === expected.join(), {
      timeoutMs: RECOVERY_TIMEOUT_MS,
      intervalMs: 500,
      what: `the inbox ${expected.join(', ')}`,
    });
  };
  const owner = async (): Promise<{ cell: string; node: string }> =>
    JSON.parse(await cellctl(['where', address, '--json'])) as { cell: string; node: string };

  it('is acknowledged by SMTP and then read over JMAP', async () => {
    await send('first');
    assert.deepEqual(await subjects(), ['first']);
  });

  it('is still there when the app server that owns the user is killed', async () => {
    const { node } = await owner();
    await cluster.kubectl(['-n', NAMESPACE, 'delete', 'pod', node, '--grace-period=0', '--force']);
    await untilRead(['first']);
    await send('second');
    await untilRead(['second', 'first']);
  });

  it('is still there when HBase is killed', async () => {
    const { cell } = await owner();
    await cluster.kubectl([
      '-n',
      NAMESPACE,
      'delete',
      'pod',
      `${cell}-hbase-0`,
      '--grace-period=0',
      '--force',
    ]);
    await until(
      async () =>
        await send('third').then(
          () => true,
          () => false,
        ),
      {
        timeoutMs: RECOVERY_TIMEOUT_MS,
        intervalMs: 1000,
        what: 'a mail taken after the crash',
      },
    );
    await until(async () => (await subjects().catch(() => []))[0] === 'third', {
      timeoutMs: RECOVERY_TIMEOUT_MS,
      intervalMs: 500,
      what: 'the third mail',
    });
    assert.deepEqual([...new Set(await subjects())].slice(-2), ['second', 'first']);
  });
});
