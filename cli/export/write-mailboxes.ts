// Mailboxes as mbox files: one each, its messages in the order in which they came.
import { appendFile, mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Contents } from '../../workloads/app-server/logic/contents.ts';
import { mailboxPaths } from './mailbox-files.ts';
import { mboxMessage } from './mbox.ts';

/** Bytes of a mailbox that are gathered before they are written. */
const BUFFER_BYTES = 64 * 1024;

export type MailboxMessage = { sender: string; receivedAtMs: number };

/** @param messages by email id; one that is not there is left out */
export async function writeMailboxes<M extends MailboxMessage>(
  folder: string,
  contents: Contents,
  messages: ReadonlyMap<string, M>,
  bytesOf: (message: M) => Promise<Uint8Array>,
): Promise<void> {
  const files = new Map<string, MailboxFile>();
  for (const [id, path] of mailboxPaths(contents)) {
    const file = new MailboxFile(join(folder, `${path}.mbox`));
    files.set(id, file);
    await file.make();
  }
  const uidValidity = Math.floor(Date.now() / 1000);
  const bases = keywordsOf(contents);
  for (const [id, { keywords, mailboxIds }] of contents.emails) {
    const message = messages.get(id);
    if (!message) continue;
    const { sender, receivedAtMs } = message;
    const bytes = await bytesOf(message);
    for (const mailbox of mailboxIds) {
      const file = files.get(mailbox);
      if (file === undefined) continue;
      const first = bases.get(mailbox);
      bases.delete(mailbox);
      const base = first && { uidValidity, keywords: first };
      await file.write(mboxMessage({ sender, receivedAtMs, keywords, base, bytes }));
    }
  }
  for (const file of files.values()) await file.flush();
}

/** The keywords of each mailbox's messages. */
function keywordsOf(contents: Contents): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { keywords, mailboxIds } of contents.emails.values())
    for (const mailbox of mailboxIds) {
      const all = found.get(mailbox) ?? new Set();
      found.set(mailbox, all);
      for (const keyword of keywords) all.add(keyword);
    }
  return found;
}

class MailboxFile {
  readonly #path: string;
  #waiting: Buffer[] = [];
  #bytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  /** Empty mailboxes are to be seen, too. */
  async make(): Promise<void> {
    await mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
    await appendFile(this.#path, '', { mode: 0o600 });
  }

  async write(message: Buffer): Promise<void> {
    this.#waiting.push(message);
    this.#bytes += message.length;
    if (this.#bytes >= BUFFER_BYTES) await this.flush();
  }

  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.#waiting);
    this.#waiting = [];
    this.#bytes = 0;
    if (bytes.length > 0) await appendFile(this.#path, bytes);
  }
}
