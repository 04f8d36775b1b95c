// Where each mailbox's messages go: `Parent/Child.mbox`, names made fit for any file system.
import type { Contents, MailboxContent } from '../../workloads/app-server/logic/contents.ts';

/** Leaves room for the ending, and for what makes a name another. */
const MAX_NAME_BYTES = 200;

/** @returns a relative path for each mailbox, by its id; no two are the same, also where case makes no difference */
export function mailboxPaths(contents: Contents): Map<string, string> {
  const paths = new Map<string, string>();
  const taken = new Set<string>();
  const pathOf = (mailbox: MailboxContent): string => {
    const known = paths.get(mailbox.id);
    if (known !== undefined) return known;
    const parent = contents.mailboxes.get(mailbox.parentId);
    const folder = parent ? `${pathOf(parent)}/` : '';
    let path = `${folder}${fileName(mailbox.name)}`;
    // Ids are letters, digits and a hyphen.
    if (taken.has(path.toLowerCase())) path = `${path} (${mailbox.id})`;
    taken.add(path.toLowerCase());
    paths.set(mailbox.id, path);
    return path;
  };
  for (const mailbox of contents.mailboxes.values()) pathOf(mailbox);
  return paths;
}

function fileName(name: string): string {
  let clean =
    name
      .replaceAll(/[/\\:*?"<>|\p{Cc}]/gu, '_')
      .replace(/^\.+/, '_')
      .trim() || '_';
  while (Buffer.byteLength(clean) > MAX_NAME_BYTES) clean = [...clean].slice(0, -1).join('');
  return clean;
}
