// Where mail of a sender goes, as the user has said it, here or by moving a message.
import { useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { AddText, Remove, Section, useSaving } from './settings-section.js';
import { FOLDERS } from './settings-words.js';

/** @import { MailStore } from './mail-store.js' */
/** @import { FilingSettings, Folder } from './types.d.ts' */

const ID = 'setting-senders';

/** A name within a patch (RFC 6901 section 3). @param {string} address */
const pathOf = (address) => `senders/${address.replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** @param {{ store: MailStore, filing: FilingSettings }} props */
export function SendersSetting({ store, filing }) {
  const { problem, save } = useSaving(store);
  const [folder, setFolder] = useState(/** @type {Folder} */ ('inbox'));
  /** @param {string} address @param {Folder | null} wanted null: nothing is said of them any more */
  const say = (address, wanted) =>
    save(
      async () =>
        await store.settings.filing?.change(({ senders }) =>
          (senders[address] ?? null) === wanted ? {} : { [pathOf(address)]: wanted },
        ),
      wanted ? `Mail from ${address} goes to ${FOLDERS[wanted]}` : `Nothing is said of ${address} any more`,
    );
  // What was said last comes first.
  const senders = Object.entries(filing.senders).toReversed();
  return html`<${Section}
    id=${ID}
    title="Senders"
    hint="Where their mail goes when no rule says otherwise. Moving a message between Inbox, Other and Junk sets it, too."
    problem=${problem}
  >
    ${
      senders.length > 0 &&
      html`<ul class="entries">
        ${senders.map(
          ([address, now]) =>
            html`<li key=${address}>
              <span class="what">${address}</span>
              <${FolderChoice}
                label=${`Mail from ${address} goes to`}
                value=${now}
                onChoose=${(/** @type {Folder} */ wanted) => say(address, wanted)}
              />
              <${Remove} what=${address} section=${ID} run=${() => say(address, null)} />
            </li>`,
        )}
      </ul>`
    }
    <${AddText}
      label="Mail from"
      placeholder="ada@example.org"
      onAdd=${(/** @type {string} */ address) => say(address, folder)}
    >
      <label>goes to <${FolderChoice} label="goes to" value=${folder} onChoose=${setFolder} /></label>
    </${AddText}>
  </${Section}>`;
}

/** @param {{ label: string, value: Folder, onChoose: (folder: Folder) => void }} props */
function FolderChoice({ label, value, onChoose }) {
  return html`<select
    aria-label=${label}
    value=${value}
    onChange=${(/** @type {any} */ event) => onChoose(event.currentTarget.value)}
  >
    ${Object.entries(FOLDERS).map(([folder, name]) => html`<option key=${folder} value=${folder}>${name}</option>`)}
  </select>`;
}
