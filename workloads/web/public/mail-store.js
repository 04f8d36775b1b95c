// What the page knows of the mailbox, and the actions on it. Components listen and draw; only the stores talk JMAP.
import { loadConversation } from './conversation.js';
import { COUNTS, SignInFailed, untilReached } from './jmap.js';
import { sortMailboxes } from './mailbox-kinds.js';
import { emailChanges, queryOf, SUMMARY } from './queries.js';
import { SettingsStore } from './settings-store.js';

/** @import { Email, EmailDetails, Mailbox, Toast, View } from './types.d.ts' */
/** @import { JmapClient } from './jmap.js' */
/** @import { Call } from './queries.js' */

const PAGE = 50;
const TOAST_MS = 6_000;
/** More than that since the last look: everything is read anew. */
const MAX_CHANGES = 200;

export class MailStore extends EventTarget {
  /** @type {JmapClient} */
  #client;
  #closed = new AbortController();
  #emailState = '';
  /** @type {Promise<void> | undefined} */
  #refreshing;
  #refreshAgain = false;
  /** Things changed while nobody saw the page. */
  #isBehind = false;
  #isCovered = false;
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
  /** Emails in the inbox that are unread, and those of them that came since somebody looked at it. */
  unread = 0;
  unseen = 0;
  /** @type {Toast | undefined} */
  toast;

  /** @param {JmapClient} client */
  constructor(client) {
    super();
    this.#client = client;
    this.settings = new SettingsStore(client);
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
    document.addEventListener(
      'visibilitychange',
      () => {
        if (!document.hidden && this.#isBehind) void this.refresh();
        else if (!document.hidden) this.#look();
      },
      { signal: this.#closed.signal },
    );
    void this.#client.listen(
      (states) => void this.#hear(states),
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

  /** A page that nobody sees asks for the numbers in its title and no more. @param {Record<string, string>} states */
  async #hear(states) {
    this.settings.hear(states);
    const { Counts } = states;
    if (!document.hidden || !this.#client.has(COUNTS) || Counts === undefined) return await this.refresh();
    this.#isBehind = true;
    await this.#guard(async () => {
      const { unread, unseen } = await this.#client.counts(Counts);
      // Seen again meanwhile, it knows better.
      if (!document.hidden) return;
      [this.unread, this.unseen] = [unread, unseen];
      this.#changed();
    });
  }

  /** Says whether something else is shown in the place of the list. @param {boolean} isCovered */
  cover(isCovered) {
    this.#isCovered = isCovered;
    this.#look();
  }

  /** Who looks at the list of the inbox has seen what is new in it. */
  #look() {
    const inbox = this.mailboxOfRole('inbox');
    const isShown = inbox && 'mailboxId' in this.view && this.view.mailboxId === inbox.id;
    if (!isShown || this.#isCovered || this.unseen === 0 || document.hidden) return;
    this.unseen = 0;
    // When it fails, the next look says the same.
    this.#client.call(['Counts/set', { update: { singleton: { unseen: 0 } } }]).catch(() => undefined);
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
      try {
        do {
          this.#refreshAgain = false;
          await this.#sync();
          if (this.selectedId) await this.#loadConversation(this.selectedId, this.conversation);
        } while (this.#refreshAgain);
      } finally {
        this.#refreshing = undefined;
      }
    });
    await this.#refreshing;
  }

  /** Opens a message and marks it as read. @param {string} id */
  async select(id) {
    this.selectedId = id;
    this.conversation = [];
    this.#changed();
    await this.#guard(async () => {
      await this.#loadConversation(id, []);
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
    await this.#act({ destroy: [id] }, (set) => {
      const problem = set.notDestroyed?.[id];
      // Gone is gone: an earlier try may have done it.
      return problem?.type === 'notFound' ? undefined : problem;
    });
    this.say('Deleted for good');
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
    await this.#act({ update: { [id]: patch } }, (set) => set.notUpdated?.[id]);
  }

  /**
   * Makes an Email/set, then shows what came of it: also when it failed.
   * @param {Record<string, unknown>} args
   * @param {(set: any) => { type: string, description?: string } | undefined} problemOf
   */
  async #act(args, problemOf) {
    await this.#guard(async () => {
      const [set] = await untilReached(() => this.#client.call(['Email/set', args]));
      const problem = problemOf(set);
      if (problem) throw new Error(problem.description ?? problem.type);
    }, true);
    await this.refresh();
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
    const [got, counts] = await this.#client.call(['Mailbox/get', { ids: null }], ...this.#countsCalls());
    this.#takeMailboxes(got, counts);
    this.#changed();
  }

  /** @returns {Call[]} */
  #countsCalls() {
    return this.#client.has(COUNTS) ? [['Counts/get', { ids: null }]] : [];
  }

  /** @param {{ list: Mailbox[] }} got @param {{ list: { unseen: number }[] } | undefined} counts */
  #takeMailboxes(got, counts) {
    this.mailboxes = sortMailboxes(got.list);
    this.unread = this.mailboxOfRole('inbox')?.unreadEmails ?? 0;
    this.unseen = counts?.list[0]?.unseen ?? 0;
  }

  /** Mailboxes, the list, and the messages that changed since the last time: all in one request. */
  async #sync() {
    const view = this.view;
    const list = queryOf(view, Math.max(PAGE, this.ids.length));
    const since = this.#emailState;
    const counts = this.#countsCalls();
    this.#isBehind = false;
    /** @type {Call[]} */
    const calls = since === '' ? [] : emailChanges(since, MAX_CHANGES);
    try {
      const responses = await this.#client.call(...calls, ['Mailbox/get', { ids: null }], list, ...counts);
      const told = counts.length > 0 ? responses.pop() : undefined;
      const [query, boxes] = [responses.pop(), responses.pop()];
      const [changes, created, updated] = responses;
      if (changes?.hasMoreChanges) this.#forget();
      else if (changes) {
        for (const email of [...created.list, ...updated.list]) this.emails.set(email.id, email);
        for (const id of changes.destroyed) this.emails.delete(id);
        this.#emailState = changes.newState;
      }
      this.#takeMailboxes(boxes, told);
      await this.#showList(view, query);
    } catch (error) {
      if (!(error instanceof Error) || error.message !== 'cannotCalculateChanges') throw error;
      this.#forget();
      await this.#sync();
    }
  }

  /** Every message is read again when it is shown next. */
  #forget() {
    this.emails.clear();
    this.#emailState = '';
  }

  /** Loads the first `count` ids of the view, and those messages that aren't known yet. @param {number} count */
  async #loadList(count) {
    const view = this.view;
    const [query] = await this.#client.call(queryOf(view, count));
    await this.#showList(view, query);
  }

  /** @param {View} view @param {{ ids: string[], total?: number }} query */
  async #showList(view, query) {
    const missing = query.ids.filter((id) => !this.emails.has(id));
    for (let from = 0; from < missing.length; from += PAGE * 4)
      await this.#loadEmails(missing.slice(from, from + PAGE * 4));
    if (view !== this.view) return;
    this.ids = query.ids.filter((id) => this.emails.has(id));
    this.total = query.total ?? query.ids.length;
    this.loading = false;
    this.#look();
    this.#changed();
  }

  /** @param {string[]} ids */
  async #loadEmails(ids) {
    const [got] = await this.#client.call(['Email/get', { ids, properties: SUMMARY }]);
    for (const email of got.list) this.emails.set(email.id, email);
    this.#emailState ||= got.state;
  }

  /** @param {string} id @param {EmailDetails[]} before what is known of it already */
  async #loadConversation(id, before) {
    const known = this.emails.get(id) ?? before.find((email) => email.id === id);
    const conversation = await loadConversation(this.#client, id, known?.threadId, before);
    if (this.selectedId !== id) return;
    this.conversation = conversation;
    if (conversation.length === 0) this.selectedId = undefined;
    for (const email of conversation) {
      if (!this.emails.has(email.id)) this.emails.set(email.id, email);
    }
    this.#changed();
  }

  /**
   * Errors of the network are said, not thrown; a refused login ends the session.
   * @param {() => Promise<void>} step
   * @param {boolean} [isAction] what was shown in advance may be wrong
   */
  async #guard(step, isAction = false) {
    try {
      await step();
    } catch (error) {
      this.loading = false;
      if (isAction) this.#forget();
      if (error instanceof SignInFailed) this.signOut();
      else this.say(error instanceof Error ? error.message : String(error));
    }
  }

  /** The login does not hold any more. */
  signOut() {
    this.dispatchEvent(new Event('signed-out'));
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}
