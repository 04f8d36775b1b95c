// One message: who to whom, the body, the attachments.
import { useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { fullName, hueOf, initialsOf, longTime, nameOf, shortTime, sizeOf } from './format.js';
import { Icon } from './icons.js';
import { MessageFrame } from './message-frame.js';
import { PlainText } from './plain-text.js';

/** @import { MailStore } from './mail-store.js' */
/** @import { Address, BodyPart, EmailDetails } from './types.d.ts' */

/** @param {{ store: MailStore, email: EmailDetails, startsOpen: boolean }} props */
export function Message({ store, email, startsOpen }) {
  const [open, setOpen] = useState(startsOpen);
  const name = nameOf(email.from);
  return html`<article class=${`message ${open ? 'open' : ''}`}>
    <header>
      <button class="who" aria-expanded=${open} onClick=${() => setOpen(!open)}>
        <span class=${`avatar hue-${hueOf(name)}`} aria-hidden="true">${initialsOf(name)}</span>
        <span class="names">
          <span class="from">${name}</span>
          ${
            open
              ? html`<span class="faint address">${email.from?.[0]?.name ? email.from[0].email : ''}</span>
                  <${Recipients} label="to" addresses=${email.to} />
                  <${Recipients} label="cc" addresses=${email.cc} />`
              : html`<span class="preview faint">${email.preview}</span>`
          }
        </span>
        <time class="faint" datetime=${email.receivedAt} title=${longTime(email.receivedAt)}
          >${open ? longTime(email.receivedAt) : shortTime(email.receivedAt)}</time
        >
      </button>
    </header>
    ${open && html`<${Body} store=${store} email=${email} />`}
  </article>`;
}

/** @param {{ label: string, addresses: Address[] | null }} props */
function Recipients({ label, addresses }) {
  if (!addresses || addresses.length === 0) return null;
  return html`<span class="faint recipients">${label} ${addresses.map(fullName).join(', ')}</span>`;
}

/** @param {{ store: MailStore, email: EmailDetails }} props */
function Body({ store, email }) {
  const parts = email.htmlBody ?? [];
  const isEmpty = parts.every((part) => !email.bodyValues[part.partId ?? '']?.value.trim());
  // Parts that the HTML shows in place are no attachments to a reader.
  const attachments = email.attachments.filter((part) => !(part.cid && part.disposition === 'inline'));
  return html`<div class="body">
    ${isEmpty && attachments.length === 0 && html`<p class="faint">This message has no text.</p>`}
    ${parts.map((part) => {
      const value = email.bodyValues[part.partId ?? ''];
      if (!value) return null;
      return html`<div key=${part.partId}>
        ${
          part.type === 'text/html'
            ? html`<${MessageFrame} store=${store} email=${email} markup=${value.value} />`
            : html`<${PlainText} text=${value.value} />`
        }
        ${value.isTruncated && html`<p class="faint">The rest of this long message is not shown.</p>`}
      </div>`;
    })}
    ${
      attachments.length > 0 &&
      html`<ul class="attachments" aria-label="Attachments">
        ${attachments.map((part) => html`<${Attachment} key=${part.blobId} store=${store} part=${part} />`)}
      </ul>`
    }
  </div>`;
}

/** @param {{ store: MailStore, part: BodyPart }} props */
function Attachment({ store, part }) {
  const [busy, setBusy] = useState(false);
  const name = part.name || part.type;
  const save = async () => {
    setBusy(true);
    try {
      const url = URL.createObjectURL(await store.download(part));
      const link = document.createElement('a');
      link.href = url;
      link.download = name;
      link.click();
      // The browser has begun to read by then.
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
    } catch (error) {
      store.say(error instanceof Error ? error.message : String(error));
    } finally {
      setBusy(false);
    }
  };
  return html`<li>
    <button onClick=${save} disabled=${busy} title=${`Download ${name}`}>
      <${Icon} name=${busy ? 'more' : 'download'} />
      <span class="name">${name}</span>
      <span class="faint">${sizeOf(part.size)}</span>
    </button>
  </li>`;
}
