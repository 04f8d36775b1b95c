// The messages of a mailbox or of a search, newest first; more are loaded as one scrolls.
import { useEffect, useRef } from 'preact/hooks';
import { html } from 'htm/preact';
import { hueOf, initialsOf, longTime, nameOf, shortTime } from './format.js';
import { Icon, iconOfKind } from './icons.js';
import { kindOf } from './mailbox-kinds.js';

/** @import { MailStore } from './mail-store.js' */
/** @import { Email } from './types.d.ts' */

/** @param {{ store: MailStore }} props */
export function MessageList({ store }) {
  const { view, ids } = store;
  const title = 'search' in view ? `Results for “${view.search}”` : (store.currentMailbox?.name ?? '');
  const kind = store.currentMailbox && kindOf(store.currentMailbox);
  return html`<section class="list" aria-label=${title}>
    <header>
      <h2>${title}</h2>
      <span class="faint"
        >${store.loading ? '' : store.total === 1 ? '1 message' : `${store.total} messages`}</span
      >
    </header>
    <ol>
      ${ids.map((id) => {
        const email = store.emails.get(id);
        return email && html`<${Row} key=${id} store=${store} email=${email} />`;
      })}
    </ol>
    ${
      !store.loading &&
      ids.length === 0 &&
      html`<p class="empty">
        <${Icon} name=${'search' in view ? 'search' : iconOfKind(kind)} />
        ${'search' in view ? 'Nothing found.' : 'Nothing here.'}
        ${kind === 'inbox' && html`<span class="faint">Mail from people you don’t know goes to Other.</span>`}
      </p>`
    }
    ${store.loading && html`<p class="empty" role="status">Loading …</p>`}
    ${store.hasMore && html`<${More} store=${store} count=${ids.length} />`}
  </section>`;
}

/** @param {{ store: MailStore, email: Email }} props */
function Row({ store, email }) {
  const isSelected = store.selectedId === email.id;
  const isUnread = !email.keywords.$seen;
  const isStarred = Boolean(email.keywords.$flagged);
  const element = useRef(/** @type {HTMLLIElement | null} */ (null));
  useEffect(() => {
    if (isSelected) element.current?.scrollIntoView({ block: 'nearest' });
  }, [isSelected]);
  // Mail that this user wrote shows whom it went to.
  const isSent = store.currentMailbox?.role === 'sent' || store.currentMailbox?.role === 'drafts';
  const name = isSent ? `To: ${nameOf(email.to)}` : nameOf(email.from);
  return html`<li ref=${element} class=${`row ${isSelected ? 'selected' : ''} ${isUnread ? 'unread' : ''}`}>
    <button
      class="open"
      onClick=${() => store.select(email.id)}
      aria-current=${isSelected ? 'true' : undefined}
    >
      <span class=${`avatar hue-${hueOf(name)}`} aria-hidden="true">${initialsOf(nameOf(email.from))}</span>
      <span class="lines">
        <span class="top">
          <span class="from">${isUnread && html`<span class="visually-hidden">Unread: </span>`}${name}</span>
          ${email.hasAttachment && html`<span class="clip" title="Has attachments"><${Icon} name="clip" /></span>`}
          <time datetime=${email.receivedAt} title=${longTime(email.receivedAt)}
            >${shortTime(email.receivedAt)}</time
          >
        </span>
        <span class="subject">${email.subject || '(no subject)'}</span>
        <span class="preview">${email.preview}</span>
      </span>
    </button>
    <button
      class=${`star ${isStarred ? 'on' : ''}`}
      aria-pressed=${isStarred}
      aria-label="Star"
      title=${isStarred ? 'Remove the star' : 'Star'}
      onClick=${() => store.setKeyword(email.id, '$flagged', !isStarred)}
    >
      <${Icon} name="star" filled=${isStarred} />
    </button>
  </li>`;
}

/** Loads the next page when it comes into sight. @param {{ store: MailStore, count: number }} props */
function More({ store, count }) {
  const element = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => {
    if (!element.current) return;
    const observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) void store.more();
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [store, count]);
  return html`<button ref=${element} class="more" onClick=${() => store.more()}>Show more</button>`;
}
