// The signed-in page: mailboxes, list and message side by side; one after the other on a phone.
import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { Icon } from './icons.js';
import { MailboxList } from './mailbox-list.js';
import { MessageList } from './message-list.js';
import { Reader } from './reader.js';

/** @import { MailStore } from './mail-store.js' */

/** @param {{ store: MailStore, onSignOut: () => void }} props */
export function Inbox({ store, onSignOut }) {
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const [menuOpen, setMenuOpen] = useState(false);
  const [search, setSearch] = useState('');
  const searchInput = useRef(/** @type {HTMLInputElement | null} */ (null));

  useEffect(() => {
    const onChange = () => redraw(undefined);
    store.addEventListener('change', onChange);
    // Something may have changed between the first drawing and now.
    onChange();
    return () => store.removeEventListener('change', onChange);
  }, [store]);

  const { unread, unseen } = store;
  useEffect(() => {
    document.title = `${unseen > 0 ? '● ' : ''}${unread > 0 ? `(${unread}) ` : ''}Inbox · Cellpost`;
  }, [unread, unseen]);

  useShortcuts(store, searchInput);

  /** @param {string} text */
  const runSearch = (text) => {
    const inbox = store.mailboxOfRole('inbox');
    if (text.trim() !== '') void store.show({ search: text.trim() });
    else if (inbox && 'search' in store.view) void store.show({ mailboxId: inbox.id });
  };

  return html`<div class=${`inbox ${store.selectedId ? 'has-message' : ''} ${menuOpen ? 'menu-open' : ''}`}>
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
        <button class="icon-button" onClick=${onSignOut} title="Sign out" aria-label="Sign out">
          <${Icon} name="exit" />
        </button>
      </div>
    </header>
    <${MailboxList}
      store=${store}
      onShow=${() => {
        setMenuOpen(false);
        setSearch('');
      }}
    />
    <div class="scrim" onClick=${() => setMenuOpen(false)}></div>
    <${MessageList} store=${store} />
    <${Reader} store=${store} />
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

/**
 * j and k go through the list, e archives, # deletes, s stars, u marks as unread, / searches, Escape goes back.
 * @param {MailStore} store
 * @param {{ current: HTMLInputElement | null }} searchInput
 */
function useShortcuts(store, searchInput) {
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    const onKey = (event) => {
      const target = /** @type {HTMLElement} */ (event.target);
      if (event.ctrlKey || event.metaKey || event.altKey || target.matches('input, textarea, select')) {
        if (event.key === 'Escape') target.blur();
        return;
      }
      if (runShortcut(store, event.key, searchInput.current)) event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, [store]);
}

/**
 * @param {MailStore} store
 * @param {string} key
 * @param {HTMLInputElement | null} searchInput
 * @returns {boolean} false when the key is none of ours
 */
function runShortcut(store, key, searchInput) {
  const { selectedId: id, ids } = store;
  const step = key === 'j' ? 1 : key === 'k' ? -1 : 0;
  if (step !== 0) {
    const next = id ? ids[ids.indexOf(id) + step] : ids[0];
    if (next) void store.select(next);
    return true;
  }
  if (key === '/') {
    searchInput?.focus();
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
