// What a user has set about where mail goes, as entry.proto and snapshot.proto write it.
import type { FilingRule, Folder } from '../log/actions.ts';

export type WireSenderFolder = { address?: string; folder?: number };

export type WireRule = {
  name?: string;
  from?: string;
  to?: string;
  subject?: string;
  listId?: string;
  mailboxId?: string;
  keywords?: string[];
  stop?: boolean;
};

/** By their numbers. */
const FOLDERS = ['', 'inbox', 'other', 'junk'] as const;

export function encodeFolder(folder: Folder | ''): number {
  return FOLDERS.indexOf(folder);
}

/** @returns undefined for a folder that this version does not know */
export function decodeFolder(number = 0): Folder | '' | undefined {
  return FOLDERS[number];
}

export function decodeRule(wire: WireRule): FilingRule {
  return {
    name: wire.name ?? '',
    from: wire.from ?? '',
    to: wire.to ?? '',
    subject: wire.subject ?? '',
    listId: wire.listId ?? '',
    mailboxId: wire.mailboxId ?? '',
    keywords: wire.keywords ?? [],
    stop: wire.stop ?? false,
  };
}
