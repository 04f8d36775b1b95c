// What the user has set of who may reach them and where mail goes (docs/policy.md, docs/folders.md).
import { FILING, PRIVACY, Unreachable, untilReached } from './jmap.js';

/** @import { FilingSettings, PrivacySettings, SetError } from './types.d.ts' */
/** @import { JmapClient } from './jmap.js' */

/** The one object of each type. */
const ID = 'singleton';
/** Another tab may change the settings between our reading and our writing, but hardly again and again. */
const CHANGE_TRIES = 5;

/** The server did not take a change. */
export class NotSaved extends Error {
  /** @type {SetError} */
  problem;

  /** @param {SetError} problem */
  constructor(problem) {
    super(problem.description ?? problem.type);
    this.problem = problem;
  }
}

/**
 * An object of which the account has exactly one.
 * @template {object} T
 */
class Singleton {
  /** @type {JmapClient} */
  #client;
  #state = '';
  /** @type {string} */
  type;
  /** As of the last time that the server told; undefined before. @type {T | undefined} */
  value;

  /**
   * @param {JmapClient} client
   * @param {string} type its name in JMAP
   */
  constructor(client, type) {
    this.#client = client;
    this.type = type;
  }

  /** @throws what JmapClient.call throws */
  async load() {
    const [got] = await this.#client.call([`${this.type}/get`, { ids: [ID] }]);
    this.#take(got);
  }

  /**
   * Changes what is there by now: read anew and tried again when somebody else has changed it, or when nobody knows whether
   * the server has done it.
   * @param {(value: T) => Record<string, unknown>} patchOf nothing where all is as it shall be
   * @throws NotSaved; what JmapClient.call throws
   */
  async change(patchOf) {
    for (let tries = 1; ; tries++) {
      if (!this.value) await this.load();
      const patch = this.value ? patchOf(this.value) : {};
      if (Object.keys(patch).length === 0) return;
      try {
        const [set, got] = await this.#client.call(
          [`${this.type}/set`, { ifInState: this.#state, update: { [ID]: patch } }],
          [`${this.type}/get`, { ids: [ID] }],
        );
        this.#take(got);
        const problem = set.notUpdated?.[ID];
        if (problem) throw new NotSaved(problem);
        return;
      } catch (error) {
        const isStale = error instanceof Error && error.message === 'stateMismatch';
        if ((!isStale && !(error instanceof Unreachable)) || tries === CHANGE_TRIES) throw error;
        await untilReached(() => this.load());
      }
    }
  }

  /** @param {{ state: string, list: T[] }} got */
  #take({ state, list }) {
    this.#state = state;
    this.value = list[0];
  }
}

export class SettingsStore extends EventTarget {
  /** @type {JmapClient} */
  #client;
  /** Subjects of muted conversations, by their ids. @type {Map<string, string>} */
  subjects = new Map();

  /** @param {JmapClient} client */
  constructor(client) {
    super();
    this.#client = client;
    /** @type {Singleton<PrivacySettings> | undefined} */
    this.privacy = client.has(PRIVACY) ? new Singleton(client, 'PrivacySettings') : undefined;
    /** @type {Singleton<FilingSettings> | undefined} */
    this.filing = client.has(FILING) ? new Singleton(client, 'FilingSettings') : undefined;
  }

  /** What the user's cell offers. */
  get #offered() {
    return [this.privacy, this.filing].filter((one) => one !== undefined);
  }

  get isOffered() {
    return this.#offered.length > 0;
  }

  /** @throws what JmapClient.call throws */
  async load() {
    await Promise.all(this.#offered.map((one) => one.load()));
    await this.#loadSubjects(this.privacy?.value?.mutedThreads ?? []);
  }

  /** Says that something changed, to whoever shows it. @param {Record<string, string>} states as pushed; none: anything may have changed */
  hear(states) {
    const types = Object.keys(states);
    if (types.length === 0 || this.#offered.some(({ type }) => types.includes(type)))
      this.dispatchEvent(new Event('stale'));
  }

  /** @param {string[]} threadIds */
  async #loadSubjects(threadIds) {
    const missing = threadIds.filter((id) => !this.subjects.has(id));
    if (missing.length === 0) return;
    const [threads] = await this.#client.call(['Thread/get', { ids: missing }]);
    /** @type {Map<string, string>} by their first messages */
    const threadOf = new Map(
      threads.list.map((/** @type {{ id: string, emailIds: string[] }} */ { id, emailIds }) => [
        emailIds[0],
        id,
      ]),
    );
    const [emails] = await this.#client.call([
      'Email/get',
      { ids: [...threadOf.keys()], properties: ['id', 'subject'] },
    ]);
    for (const { id, subject } of emails.list)
      this.subjects.set(threadOf.get(id) ?? '', subject || '(no subject)');
  }
}
