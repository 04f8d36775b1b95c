// The opened message within its conversation, and what can be done with it.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { Icon } from './icons.js';
import { Message } from './message.js';
import { muteThread } from './settings-reach.js';

/** @import { MailStore } from './mail-store.js' */

/** @param {{ store: MailStore }} props */
export function Reader({ store }) {
  const { selectedId: id, conversation } = store;
  const email = id ? (store.emails.get(id) ?? conversation.find((one) => one.id === id)) : undefined;
  if (!id || !email) {
    return html`<main class="reader nothing">
      <p class="empty"><${Icon} name="read" />Choose a message to read it here.</p>
    </main>`;
  }
  const opened = conversation.find((one) => one.id === id);
  return html`<main class="reader" aria-label="Message">
    <${Actions} store=${store} id=${id} />
    <div class="scroll" key=${id}>
      <h1 class="subject">${email.subject || '(no subject)'}</h1>
      ${
        conversation.length > 1 &&
        html`<p class="faint">${conversation.length} messages in this conversation</p>`
      }
      ${conversation.map(
        (one) => html`<${Message} key=${one.id} store=${store} email=${one} startsOpen=${one.id === id} />`,
      )}
      ${!opened && html`<p class="empty" role="status">Loading …</p>`}
    </div>
  </main>`;
}

/** @param {{ store: MailStore, id: string }} props */
function Actions({ store, id }) {
  const email = store.emails.get(id) ?? store.conversation.find((one) => one.id === id);
  if (!email) return null;
  const isStarred = Boolean(email.keywords.$flagged);
  const isSeen = Boolean(email.keywords.$seen);
  const archive = store.mailboxOfRole('archive');
  const trash = store.mailboxOfRole('trash');
  const inTrash = Boolean(trash && email.mailboxIds[trash.id]);
  return html`<div class="actions" role="toolbar" aria-label="Message actions">
    <${Action} icon="back" label="Back to the list" className="back" run=${() => store.unselect()} />
    ${
      archive &&
      !email.mailboxIds[archive.id] &&
      html`<${Action} icon="archive" label="Archive" run=${() => store.move(id, archive)} />`
    }
    <${Action} icon="trash" label=${inTrash ? 'Delete for good' : 'Delete'} run=${() => store.remove(id)} />
    <${MoveMenu} store=${store} id=${id} mailboxIds=${email.mailboxIds} />
    <${Action}
      icon=${isSeen ? 'unread' : 'read'}
      label=${isSeen ? 'Mark as unread' : 'Mark as read'}
      run=${() => store.setKeyword(id, '$seen', !isSeen)}
    />
    <${Action}
      icon="star"
      label=${isStarred ? 'Remove the star' : 'Star'}
      filled=${isStarred}
      className=${isStarred ? 'starred' : ''}
      run=${() => store.setKeyword(id, '$flagged', !isStarred)}
    />
    ${
      store.settings.privacy &&
      html`<${Action} icon="mute" label="Do not notify me" run=${() => muteThread(store, email.threadId)} />`
    }
  </div>`;
}

/** @param {{ icon: string, label: string, run: () => void, filled?: boolean, className?: string }} props */
function Action({ icon, label, run, filled = false, className = '' }) {
  return html`<button class=${`icon-button ${className}`} title=${label} aria-label=${label} onClick=${run}>
    <${Icon} name=${icon} filled=${filled} />
  </button>`;
}

/** @param {{ store: MailStore, id: string, mailboxIds: Record<string, true> }} props */
function MoveMenu({ store, id, mailboxIds }) {
  const [open, setOpen] = useState(false);
  const element = useRef(/** @type {HTMLDivElement | null} */ (null));
  useEffect(() => {
    if (!open) return;
    /** @type {HTMLElement | null | undefined} */ (
      element.current?.querySelector('[role=menuitem]')
    )?.focus();
    /** @param {Event} event */
    const onOutside = (event) => {
      if (event.target instanceof Node && !element.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener('pointerdown', onOutside);
    return () => document.removeEventListener('pointerdown', onOutside);
  }, [open]);

  /** @param {KeyboardEvent} event */
  const onKey = (event) => {
    const items = [...(element.current?.querySelectorAll('[role=menuitem]') ?? [])];
    const place = items.indexOf(/** @type {Element} */ (document.activeElement));
    const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (step !== 0) {
      const next = items[(place + step + items.length) % items.length];
      /** @type {HTMLElement | undefined} */ (next)?.focus();
      event.preventDefault();
    }
    if (event.key === 'Escape') {
      setOpen(false);
      element.current?.querySelector('button')?.focus();
    }
    if (open) event.stopPropagation();
  };

  return html`<div class="menu" ref=${element} onKeyDown=${onKey}>
    <button
      class="icon-button"
      title="Move to …"
      aria-label="Move to …"
      aria-haspopup="menu"
      aria-expanded=${open}
      onClick=${() => setOpen(!open)}
    >
      <${Icon} name="move" />
    </button>
    ${
      open &&
      html`<div class="items" role="menu">
        ${store.mailboxes
          .filter((mailbox) => !mailboxIds[mailbox.id])
          .map(
            (mailbox) =>
              html`<button
                role="menuitem"
                key=${mailbox.id}
                onClick=${() => {
                  setOpen(false);
                  void store.move(id, mailbox);
                }}
              >
                ${mailbox.name}
              </button>`,
          )}
      </div>`
    }
  </div>`;
}
