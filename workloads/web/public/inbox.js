// The signed-in page: mailboxes, list and message (or the settings) side by side; one after the other on a phone.
import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { Icon } from './icons.js';
import { MailboxList } from './mailbox-list.js';
import { MessageList } from './message-list.js';
import { Reader } from './reader.js';
import { Settings } from './settings.js';

/** @import { MailStore } from './mail-store.js' */

/** @param {{ store: MailStore, onSignOut: () => void }} props */
export function Inbox({ store, onSignOut }) {
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const [menuOpen, setMenuOpen] = useState(false);
  const [search, setSearch] = useState('');
  const [inSettings, setInSettings] = useState(false);
  const searchInput = useRef(/** @type {HTMLInputElement | null} */ (null));
  const settingsButton = useRef(/** @type {HTMLButtonElement | null} */ (null));

  useEffect(() => {
    const onChange = () => redraw(undefined);
    store.addEventListener('change', onChange);
    // Something may have changed between the first drawing and now.
    onChange();
    return () => store.removeEventListener('change', onChange);
  }, [store]);

  const { unread, unseen } = store;
  useEffect(() => {
    const place = inSettings ? 'Settings' : 'Inbox';
    document.title = `${unseen > 0 ? '● ' : ''}${unread > 0 ? `(${unread}) ` : ''}${place} · Cellpost`;
  }, [unread, unseen, inSettings]);

  useEffect(() => store.cover(inSettings), [store, inSettings]);

  const leaveSettings = () => {
    setInSettings(false);
    settingsButton.current?.focus();
  };
  useShortcuts((key) => {
    if (key === '/') searchInput.current?.focus();
    else if (!inSettings) return runShortcut(store, key);
    else if (key === 'Escape') leaveSettings();
    else return false;
    return true;
  });

  /** @param {string} text */
  const runSearch = (text) => {
    if (text.trim() !== '') setInSettings(false);
    const inbox = store.mailboxOfRole('inbox');
    if (text.trim() !== '') void store.show({ search: text.trim() });
    else if (inbox && 'search' in store.view) void store.show({ mailboxId: inbox.id });
  };

  const hasMessage = store.selectedId && !inSettings;
  return html`<div class=${`inbox ${hasMessage ? 'has-message' : ''} ${menuOpen ? 'menu-open' : ''}`}>
    <header class="bar">
      <button class="icon-button menu-button" aria-label="Mailboxes" onClick=${() => setMenuOpen(!menuOpen)}>
        <${Icon} name="menu" />
      </button>
      <a class="brand" href="/"><img src="icon.svg" alt="" width="26" height="26" /><span>Cellpost</span></a>
      <form
        class="search"
        role="search"
        onSubmit=${(/** @type {Event} */ event) => {
          event.preventDefault();
          runSearch(search);
        }}
      >
        <${Icon} name="search" />
        <input
          ref=${searchInput}
          type="search"
          placeholder="Search mail"
          aria-label="Search mail"
          value=${search}
          onInput=${(/** @type {any} */ event) => {
            setSearch(event.currentTarget.value);
            if (event.currentTarget.value === '') runSearch('');
          }}
        />
      </form>
      <div class="account">
        <span
          class=${`live ${store.live ? 'on' : ''}`}
          role="status"
          title=${store.live ? 'New mail appears by itself' : 'No connection; trying again'}
          aria-label=${store.live ? 'Connected' : 'Not connected'}
        ></span>
        <span class="who">${store.username}</span>
        ${
          store.settings.isOffered &&
          html`<button
            ref=${settingsButton}
            class="icon-button"
            aria-current=${inSettings ? 'page' : undefined}
            onClick=${() => (inSettings ? leaveSettings() : setInSettings(true))}
            title="Settings"
            aria-label="Settings"
          >
            <${Icon} name="settings" />
          </button>`
        }
        <button class="icon-button" onClick=${onSignOut} title="Sign out" aria-label="Sign out">
          <${Icon} name="exit" />
        </button>
      </div>
    </header>
    <${MailboxList}
      store=${store}
      current=${inSettings ? undefined : store.currentMailbox?.id}
      onShow=${() => {
        setInSettings(false);
        setMenuOpen(false);
        setSearch('');
      }}
    />
    <div class="scrim" onClick=${() => setMenuOpen(false)}></div>
    ${
      inSettings
        ? html`<${Settings} store=${store} onClose=${leaveSettings} />`
        : html`<${MessageList} store=${store} /><${Reader} store=${store} />`
    }
    <div class="toasts" role="status" aria-live="polite">
      ${
        store.toast &&
        html`<div class="toast">
          <span>${store.toast.text}</span>
          ${
            store.toast.undo &&
            html`<button
              onClick=${() => {
                store.toast?.undo?.();
                store.toast = undefined;
              }}
            >
              Undo
            </button>`
          }
        </div>`
      }
    </div>
  </div>`;
}

/** @param {(key: string) => boolean} run with a key that is no text; false when it is none of ours. Another one at each drawing */
function useShortcuts(run) {
  const latest = useRef(run);
  latest.current = run;
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const onKey = (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      if (event.ctrlKey || event.metaKey || event.altKey || target.matches('input, textarea, select')) {
        if (event.key === 'Escape') target.blur();
        return;
      }
      if (latest.current(event.key)) event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
}

/**
 * j and k go through the list, e archives, # deletes, s stars, u marks as unread, Escape goes back.
 * @param {MailStore} store
 * @param {string} key
 */
function runShortcut(store, key) {
  const { selectedId: id, ids } = store;
  const step = key === 'j' ? 1 : key === 'k' ? -1 : 0;
  if (step !== 0) {
    const next = id ? ids[ids.indexOf(id) + step] : ids[0];
    if (next) void store.select(next);
    return true;
  }
  if (!id) return false;
  const archive = store.mailboxOfRole('archive');
  if (key === 'e' && archive) void store.move(id, archive);
  else if (key === '#' || key === 'Delete') void store.remove(id);
  else if (key === 's') void store.setKeyword(id, '$flagged', !store.emails.get(id)?.keywords.$flagged);
  else if (key === 'u') {
    void store.setKeyword(id, '$seen', false);
    store.unselect();
  } else if (key === 'Escape') store.unselect();
  else return false;
  return true;
}
