// Who may write to the user: reach, blocked senders; and whose mail is not announced.
import { html } from 'htm/preact';
import { AddText, attempt, Remove, Section, useSaving } from './settings-section.js';

/** @import { MailStore } from './mail-store.js' */
/** @import { PrivacySettings, Reach } from './types.d.ts' */

/** @type {[Reach, string, string][]} */
const REACHES = [
  ['everyone', 'Everyone', 'Mail from people you don’t know goes to Other.'],
  ['friendsOfFriends', 'Friends of friends', 'Your friends, and theirs.'],
  ['friends', 'Friends', 'Nobody else.'],
];

/** Lists of the settings. @typedef {Exclude<keyof PrivacySettings, 'reach'>} List */

/** @typedef {{ store: MailStore, privacy: PrivacySettings }} Props */

/** @param {MailStore} store @param {List} list @param {string} item */
async function add(store, list, item) {
  await store.settings.privacy?.change(({ [list]: before }) =>
    before.includes(item) ? {} : { [list]: [...before, item] },
  );
}

/** @param {MailStore} store @param {List} list @param {string} item */
async function remove(store, list, item) {
  await store.settings.privacy?.change(({ [list]: before }) =>
    before.includes(item) ? { [list]: before.filter((one) => one !== item) } : {},
  );
}

/** Mail that comes into the conversation is not announced from now on. @param {MailStore} store @param {string} threadId */
export async function muteThread(store, threadId) {
  const tell = (/** @type {string} */ problem) => problem && store.say(problem);
  const undo = () => void attempt(store, () => remove(store, 'mutedThreads', threadId), tell);
  const mute = async () => {
    await add(store, 'mutedThreads', threadId);
    store.say('Mail in this conversation is not announced', undo);
  };
  await attempt(store, mute, tell);
}

/** @param {Props} props */
export function ReachSetting({ store, privacy }) {
  const { problem, save } = useSaving(store);
  return html`<${Section}
    id="setting-reach"
    title="Who may reach me"
    hint="Everybody else hears that you take no mail from them. People whom you wrote to may always answer."
    problem=${problem}
  >
    <div class="choices" role="radiogroup" aria-labelledby="setting-reach">
      ${REACHES.map(
        ([reach, name, hint]) =>
          html`<label key=${reach}>
            <input
              type="radio"
              name="reach"
              checked=${privacy.reach === reach}
              onChange=${() =>
                save(
                  async () =>
                    await store.settings.privacy?.change((now) => (now.reach === reach ? {} : { reach })),
                  `Who may reach you: ${name}`,
                )}
            />
            <span>${name} <span class="faint">${hint}</span></span>
          </label>`,
      )}
    </div>
  </${Section}>`;
}

/** @param {Props} props */
export function BlockedSetting({ store, privacy }) {
  const { problem, save } = useSaving(store);
  /** A domain is written with an @ before it. @param {string} text @returns {[List, string]} */
  const placeOf = (text) =>
    text.startsWith('@') ? ['blockedDomains', text.slice(1)] : ['blockedAddresses', text];
  return html`<${Section}
    id="setting-blocked"
    title="Blocked senders"
    hint="Nothing is taken from them, and nothing from anybody at a blocked domain."
    problem=${problem}
  >
    <${Entries}
      section="setting-blocked"
      items=${[...privacy.blockedAddresses, ...privacy.blockedDomains.map((domain) => `@${domain}`)]}
      onRemove=${(/** @type {string} */ text) =>
        save(() => remove(store, ...placeOf(text)), `${text} is not blocked any more`)}
    />
    <${AddText}
      label="Block an address or a domain"
      placeholder="eve@example.org or @example.org"
      onAdd=${(/** @type {string} */ text) => save(() => add(store, ...placeOf(text)), `${text} is blocked`)}
    />
  </${Section}>`;
}

/** @param {Props} props */
export function MutedSetting({ store, privacy }) {
  const { problem, save } = useSaving(store);
  const { subjects } = store.settings;
  const nameOf = (/** @type {string} */ id) => subjects.get(id) ?? 'A conversation that is gone';
  return html`<${Section}
    id="setting-muted"
    title="Do not notify me"
    hint="Mail from these senders, and in these conversations, arrives as usual, but no app announces it."
    problem=${problem}
  >
    <${Entries}
      section="setting-muted"
      items=${privacy.mutedSenders}
      onRemove=${(/** @type {string} */ text) =>
        save(() => remove(store, 'mutedSenders', text), `Mail from ${text} is announced again`)}
    />
    <${Entries}
      section="setting-muted"
      items=${privacy.mutedThreads}
      nameOf=${nameOf}
      onRemove=${(/** @type {string} */ id) =>
        save(() => remove(store, 'mutedThreads', id), `Mail in “${nameOf(id)}” is announced again`)}
    />
    <${AddText}
      label="Do not announce mail from"
      placeholder="news@example.org"
      onAdd=${(/** @type {string} */ text) =>
        save(() => add(store, 'mutedSenders', text), `Mail from ${text} is not announced`)}
    />
  </${Section}>`;
}

/**
 * @param {{
 *   section: string,
 *   items: string[],
 *   nameOf?: (item: string) => string,
 *   onRemove: (item: string) => Promise<boolean>,
 * }} props
 */
function Entries({ section, items, nameOf = (item) => item, onRemove }) {
  if (items.length === 0) return null;
  return html`<ul class="entries">
    ${items.map(
      (item) =>
        html`<li key=${item}>
          <span class="what">${nameOf(item)}</span>
          <${Remove} what=${nameOf(item)} section=${section} run=${() => onRemove(item)} />
        </li>`,
    )}
  </ul>`;
}
