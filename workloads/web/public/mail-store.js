// What the page knows of the mailbox, and the actions on it. Components listen and draw; only this file talks JMAP.
import { SignInFailed } from './jmap.js';

/** @import { Email, EmailDetails, Mailbox, Toast, View } from './types.d.ts' */
/** @import { JmapClient } from './jmap.js' */

const PAGE = 50;
/** Messages of one conversation that are shown. */
const MAX_CONVERSATION = 50;
/** Enough text for a message; more is offered as a download by its sender's own means. */
const MAX_BODY_BYTES = 1_000_000;
const TOAST_MS = 6_000;

const SUMMARY = [
  'id',
  'threadId',
  'mailboxIds',
  'keywords',
  'from',
  'to',
  'subject',
  'receivedAt',
  'preview',
  'hasAttachment',
];
const DETAILS = [...SUMMARY, 'cc', 'replyTo', 'htmlBody', 'attachments', 'bodyValues'];

export class MailStore extends EventTarget {
  /** @type {JmapClient} */
  #client;
  #closed = new AbortController();
  #emailState = '';
  /** @type {Promise<void> | undefined} */
  #refreshing;
  #refreshAgain = false;
  #nextToast = 1;

  /** @type {Mailbox[]} */
  mailboxes = [];
  /** @type {View} */
  view = { mailboxId: '' };
  /** The messages of the view in order, as far as they were loaded. @type {string[]} */
  ids = [];
  total = 0;
  loading = true;
  /** @type {Map<string, Email>} */
  emails = new Map();
  /** @type {string | undefined} */
  selectedId;
  /** The selected message's conversation, oldest first. @type {EmailDetails[]} */
  conversation = [];
  live = false;
  /** @type {Toast | undefined} */
  toast;

  /** @param {JmapClient} client */
  constructor(client) {
    super();
    this.#client = client;
  }

  get username() {
    return this.#client.session.username;
  }

  /** Loads the mailboxes and the inbox, then follows changes until close(). */
  async open() {
    await this.#loadMailboxes();
    const first = this.mailboxOfRole('inbox') ?? this.mailboxes[0];
    this.view = { mailboxId: first?.id ?? '' };
    await this.#loadList(PAGE);
    void this.#client.listen(
      () => void this.refresh(),
      (live) => {
        this.live = live;
        this.#changed();
      },
      this.#closed.signal,
    );
  }

  close() {
    this.#closed.abort();
  }

  /** @param {string} role */
  mailboxOfRole(role) {
    return this.mailboxes.find((mailbox) => mailbox.role === role);
  }

  get currentMailbox() {
    const { view } = this;
    return 'mailboxId' in view ? this.mailboxes.find((mailbox) => mailbox.id === view.mailboxId) : undefined;
  }

  get hasMore() {
    return this.ids.length < this.total;
  }

  /** @param {View} view */
  async show(view) {
    this.view = view;
    this.ids = [];
    this.total = 0;
    this.loading = true;
    this.unselect();
    await this.#guard(() => this.#loadList(PAGE));
  }

  async more() {
    if (this.loading || !this.hasMore) return;
    this.loading = true;
    this.#changed();
    await this.#guard(() => this.#loadList(this.ids.length + PAGE));
  }

  /** Brings everything that is shown up to date; calls that come meanwhile share the next round. */
  async refresh() {
    if (this.#refreshing) {
      this.#refreshAgain = true;
      return await this.#refreshing;
    }
    this.#refreshing = this.#guard(async () => {
      do {
        this.#refreshAgain = false;
        await this.#loadMailboxes();
        await this.#loadChanges();
        await this.#loadList(Math.max(PAGE, this.ids.length));
        if (this.selectedId) await this.#loadConversation(this.selectedId, false);
      } while (this.#refreshAgain);
    });
    await this.#refreshing;
    this.#refreshing = undefined;
  }

  /** Opens a message and marks it as read. @param {string} id */
  async select(id) {
    this.selectedId = id;
    this.conversation = [];
    this.#changed();
    await this.#guard(async () => {
      await this.#loadConversation(id, true);
      if (!this.emails.get(id)?.keywords.$seen) await this.setKeyword(id, '$seen', true);
    });
  }

  unselect() {
    this.selectedId = undefined;
    this.conversation = [];
    this.#changed();
  }

  /** @param {string} id @param {'$seen' | '$flagged'} keyword @param {boolean} on */
  async setKeyword(id, keyword, on) {
    this.#patchLocally(id, (email) => {
      const keywords = { ...email.keywords };
      if (on) keywords[keyword] = true;
      else delete keywords[keyword];
      return { ...email, keywords };
    });
    await this.#update(id, { [`keywords/${keyword}`]: on ? true : null });
  }

  /** Moves a message; offers to undo. @param {string} id @param {Mailbox} to */
  async move(id, to) {
    const before = this.emails.get(id)?.mailboxIds;
    this.#leaveList(id);
    await this.#update(id, { mailboxIds: { [to.id]: true } });
    this.say(`Moved to ${to.name}`, before && (() => void this.#update(id, { mailboxIds: before })));
  }

  /** To the trash; from there for good. @param {string} id */
  async remove(id) {
    const trash = this.mailboxOfRole('trash');
    if (trash && !this.emails.get(id)?.mailboxIds[trash.id]) return await this.move(id, trash);
    this.#leaveList(id);
    await this.#guard(async () => {
      const [set] = await this.#client.call(['Email/set', { destroy: [id] }]);
      if (set.notDestroyed?.[id]) throw new Error(set.notDestroyed[id].type);
      await this.refresh();
      this.say('Deleted for good');
    });
  }

  /** @param {{ blobId: string, name: string | null, type: string }} part */
  async download(part) {
    return await this.#client.download(part);
  }

  /** @param {string} text @param {(() => void) | undefined} [undo] */
  say(text, undo) {
    const id = this.#nextToast++;
    this.toast = undo ? { id, text, undo } : { id, text };
    this.#changed();
    setTimeout(() => {
      if (this.toast?.id !== id) return;
      this.toast = undefined;
      this.#changed();
    }, TOAST_MS);
  }

  /** @param {string} id @param {Record<string, unknown>} patch */
  async #update(id, patch) {
    await this.#guard(async () => {
      const [set] = await this.#client.call(['Email/set', { update: { [id]: patch } }]);
      if (set.notUpdated?.[id]) throw new Error(set.notUpdated[id].description ?? set.notUpdated[id].type);
      await this.refresh();
    });
  }

  /** Shows at once what the server will say in a moment. @param {string} id @param {(email: Email) => Email} change */
  #patchLocally(id, change) {
    const email = this.emails.get(id);
    if (!email) return;
    this.emails.set(id, change(email));
    this.#changed();
  }

  /** The message after it, or before it, is shown next, if it was open. @param {string} id */
  #leaveList(id) {
    const place = this.ids.indexOf(id);
    if (place >= 0) {
      this.ids = this.ids.filter((other) => other !== id);
      this.total--;
    }
    if (this.selectedId === id) this.unselect();
    else this.#changed();
  }

  async #loadMailboxes() {
    const [got] = await this.#client.call(['Mailbox/get', { ids: null }]);
    this.mailboxes = sortMailboxes(got.list);
    this.#changed();
  }

  /** Forgets cached messages that changed since they were loaded. */
  async #loadChanges() {
    if (this.#emailState === '') return;
    try {
      const [changes] = await this.#client.call(['Email/changes', { sinceState: this.#emailState }]);
      for (const id of [...changes.updated, ...changes.destroyed]) this.emails.delete(id);
      if (changes.hasMoreChanges) this.emails.clear();
      this.#emailState = changes.newState;
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'cannotCalculateChanges') throw error;
      this.emails.clear();
      this.#emailState = '';
    }
  }

  /** Loads the first `count` ids of the view, and those messages that aren't known yet. @param {number} count */
  async #loadList(count) {
    const view = this.view;
    const filter = 'mailboxId' in view ? { inMailbox: view.mailboxId } : { text: view.search };
    const [query] = await this.#client.call([
      'Email/query',
      {
        filter,
        sort: [{ property: 'receivedAt', isAscending: false }],
        limit: count,
        calculateTotal: true,
      },
    ]);
    const missing = query.ids.filter((/** @type {string} */ id) => !this.emails.has(id));
    for (let from = 0; from < missing.length; from += PAGE * 4)
      await this.#loadEmails(missing.slice(from, from + PAGE * 4));
    if (view !== this.view) return;
    this.ids = query.ids.filter((/** @type {string} */ id) => this.emails.has(id));
    this.total = query.total ?? query.ids.length;
    this.loading = false;
    this.#changed();
  }

  /** @param {string[]} ids */
  async #loadEmails(ids) {
    const [got] = await this.#client.call(['Email/get', { ids, properties: SUMMARY }]);
    for (const email of got.list) this.emails.set(email.id, email);
    this.#emailState ||= got.state;
  }

  /** @param {string} id @param {boolean} isNew false: only what changed is loaded */
  async #loadConversation(id, isNew) {
    const known = this.emails.get(id) ?? this.conversation.find((email) => email.id === id);
    /** @type {string[]} */
    let ids = [id];
    if (known) {
      const [threads] = await this.#client.call(['Thread/get', { ids: [known.threadId] }]);
      ids = threads.list[0]?.emailIds.slice(-MAX_CONVERSATION) ?? [id];
      if (!ids.includes(id)) ids = known && !isNew ? ids : [id];
    }
    // Bodies never change: only messages that are new in the conversation are read whole.
    const loaded = new Map(this.conversation.map((email) => [email.id, email]));
    const missing = ids.filter((one) => !loaded.has(one));
    const present = ids.filter((one) => loaded.has(one));
    if (missing.length > 0) {
      const [got] = await this.#client.call([
        'Email/get',
        {
          ids: missing,
          properties: DETAILS,
          bodyProperties: ['partId', 'blobId', 'size', 'name', 'type', 'cid', 'disposition'],
          fetchHTMLBodyValues: true,
          maxBodyValueBytes: MAX_BODY_BYTES,
        },
      ]);
      for (const email of got.list) loaded.set(email.id, email);
    }
    if (present.length > 0) {
      const [got] = await this.#client.call([
        'Email/get',
        { ids: present, properties: ['id', 'keywords', 'mailboxIds'] },
      ]);
      const found = new Map(got.list.map((/** @type {Email} */ email) => [email.id, email]));
      for (const one of present) {
        const details = loaded.get(one);
        const now = found.get(one);
        if (details && now) loaded.set(one, { ...details, ...now });
        else loaded.delete(one);
      }
    }
    if (this.selectedId !== id) return;
    this.conversation = ids.flatMap((one) => loaded.get(one) ?? []);
    if (this.conversation.length === 0) this.selectedId = undefined;
    for (const email of this.conversation) {
      if (!this.emails.has(email.id)) this.emails.set(email.id, email);
    }
    this.#changed();
  }

  /** Errors of the network are said, not thrown; a refused login ends the session. @param {() => Promise<void>} step */
  async #guard(step) {
    try {
      await step();
    } catch (error) {
      this.loading = false;
      if (error instanceof SignInFailed) this.dispatchEvent(new Event('signed-out'));
      else this.say(error instanceof Error ? error.message : String(error));
    }
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}

const ROLES = ['inbox', 'drafts', 'sent', 'archive', 'junk', 'trash'];

/** Known roles first, in the order that people expect. @param {Mailbox[]} mailboxes */
function sortMailboxes(mailboxes) {
  const place = (/** @type {Mailbox} */ { role }) => {
    const index = ROLES.indexOf(role ?? '');
    return index < 0 ? ROLES.length : index;
  };
  return mailboxes.sort(
    (a, b) => place(a) - place(b) || a.sortOrder - b.sortOrder || a.name.localeCompare(b.name),
  );
}
