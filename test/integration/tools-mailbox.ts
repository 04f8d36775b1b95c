// What the tests of cellctl's tools look at: everything that JMAP tells of a user.
import nodemailer from 'nodemailer';
import { openJmap, type JmapClient } from '../support/jmap.ts';
import { cellctlOutput } from '../support/cellctl.ts';
import type { Doors, PlatformUnderTest } from '../support/platform.ts';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Mailboxes and messages with ids, states, keywords and the text of messages. */
export type Mailbox = { mailboxes: unknown; emails: unknown[]; states: unknown[] };

export type Mail = { to: string; subject: string; text?: string; attachment?: Uint8Array };

export async function send(platform: Doors, ...mails: Mail[]): Promise<void> {
  const transport = nodemailer.createTransport({
    host: '127.0.0.1',
    port: platform.smtpPort,
    secure: false,
    pool: true,
  });
  try {
    for (const { to, subject, text = `About ${subject}`, attachment } of mails)
      await transport.sendMail({
        from: 'you@example.org',
        to,
        subject,
        text,
        ...(attachment && { attachments: [{ filename: 'a.bin', content: Buffer.from(attachment) }] }),
      });
  } finally {
    transport.close();
  }
}

export async function addUser(platform: PlatformUnderTest, address: string, password: string): Promise<void> {
  const child = promisify(execFile)(process.execPath, ['cli/cellctl.ts', 'user', 'add', address], {
    env: { ...process.env, CELLPOST_HOME: platform.home },
  });
  child.child.stdin?.end(password);
  await child;
}

export async function signIn(platform: Doors, address: string, password: string): Promise<JmapClient> {
  return await openJmap(platform.webUrl, address, password);
}

/** @returns all of it, in an order of its own */
export async function readMailbox(client: JmapClient): Promise<Mailbox> {
  const { accountId } = client;
  const [mailboxes, query] = await client.call(
    ['Mailbox/get', { accountId }, 'm'],
    ['Email/query', { accountId, sort: [{ property: 'receivedAt' }] }, 'q'],
  );
  const emails: unknown[] = [];
  const ids = (query?.[1].ids ?? []) as string[];
  let state: unknown;
  for (let start = 0; start < Math.max(1, ids.length); start += 200) {
    const [page] = await client.call([
      'Email/get',
      {
        accountId,
        ids: ids.slice(start, start + 200),
        properties: [
          'id',
          'threadId',
          'mailboxIds',
          'keywords',
          'size',
          'receivedAt',
          'subject',
          'bodyValues',
          'textBody',
          'attachments',
        ],
        fetchAllBodyValues: true,
      },
      'g',
    ]);
    emails.push(...((page?.[1].list ?? []) as unknown[]));
    state = page?.[1].state;
  }
  return { mailboxes: mailboxes?.[1].list, emails, states: [mailboxes?.[1].state, state] };
}

/** Runs `cellctl ARGS --json` against a platform, with more environment. */
export async function cellctlJson<T>(
  platform: PlatformUnderTest,
  args: string[],
  env: NodeJS.ProcessEnv = {},
): Promise<T> {
  return JSON.parse(await cellctlOutput([...args, '--json'], { CELLPOST_HOME: platform.home, ...env })) as T;
}
