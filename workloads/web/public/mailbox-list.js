// The mailboxes with their unread counts.
import { html } from 'htm/preact';
import { Icon, iconOfKind } from './icons.js';
import { kindOf } from './mailbox-kinds.js';

/** @import { MailStore } from './mail-store.js' */

/** @param {{ store: MailStore, current: string | undefined, onShow: () => void }} props */
export function MailboxList({ store, current, onShow }) {
  return html`<nav class="mailboxes" aria-label="Mailboxes">
    <p class="narrow-who"><img src="icon.svg" alt="" width="26" height="26" />${store.username}</p>
    <ul>
      ${store.mailboxes.map(
        (mailbox) =>
          html`<li key=${mailbox.id}>
            <button
              aria-current=${mailbox.id === current ? 'page' : undefined}
              class=${mailbox.unreadEmails > 0 ? 'unread' : ''}
              onClick=${() => {
                onShow();
                void store.show({ mailboxId: mailbox.id });
              }}
            >
              <${Icon} name=${iconOfKind(kindOf(mailbox))} />
              <span class="name">${mailbox.name}</span>
              ${
                mailbox.unreadEmails > 0 &&
                html`<span class="count" aria-label=${`${mailbox.unreadEmails} unread`}
                  >${mailbox.unreadEmails}</span
                >`
              }
            </button>
          </li>`,
      )}
    </ul>
    <p class="hint faint">
      <kbd>j</kbd> <kbd>k</kbd> next, previous · <kbd>e</kbd> archive · <kbd>#</kbd> delete ·
      <kbd>s</kbd> star · <kbd>u</kbd> unread · <kbd>/</kbd> search
    </p>
  </nav>`;
}
