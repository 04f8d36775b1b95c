// Older messages of the simulated mailbox, in pages that may lie in the store only.
import { hashPage } from '../../workloads/app-server/image/pages/page.ts';
import { PageLost, PageMissing, type ReadPages } from '../../workloads/app-server/log/page-missing.ts';

export type Message = {
  /** Whose log it was written to. */
  to: string;
  deliveryKey: string;
  id: string;
  timeMs: number;
};

export class MessagePage {
  readonly count: number;
  readonly id: string;
  /** Undefined while it lies in the store only. */
  messages: readonly Message[] | undefined;
  isStored: boolean;

  constructor(count: number, id: string, messages: readonly Message[] | undefined, isStored: boolean) {
    this.count = count;
    this.id = id;
    this.messages = messages;
    this.isStored = isStored;
  }
}

export function newPage(messages: readonly Message[]): MessagePage {
  return new MessagePage(messages.length, hashPage(encodePage(messages)), messages, false);
}

export function encodePage(messages: readonly Message[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(messages));
}

/** @throws PageMissing for those of the pages that are not in memory */
export function messagesOf(pages: readonly MessagePage[], checked: boolean): Message[] {
  const missing = pages.filter((page) => !page.messages);
  if (missing.length > 0) throw new MessagesMissing(missing, checked);
  return pages.flatMap((page) => page.messages ?? []);
}

class MessagesMissing extends PageMissing {
  readonly #pages: readonly MessagePage[];
  readonly #checked: boolean;

  constructor(pages: readonly MessagePage[], checked: boolean) {
    super(`${pages.length} pages are not in memory`);
    this.#pages = pages;
    this.#checked = checked;
  }

  override async load(read: ReadPages): Promise<void> {
    const found = await read(this.#pages.map(({ id }) => id));
    for (const [index, page] of this.#pages.entries()) {
      const bytes = found[index];
      if (!bytes || (this.#checked && hashPage(bytes) !== page.id))
        throw new PageLost(`page ${page.id} is gone or damaged`);
      try {
        page.messages = JSON.parse(new TextDecoder().decode(bytes)) as Message[];
      } catch (error) {
        throw new PageLost(`page ${page.id} is no page`, { cause: error });
      }
    }
  }
}
