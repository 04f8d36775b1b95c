// A new filing rule.
import { useEffect, useRef } from 'preact/hooks';
import { html } from 'htm/preact';

/** @import { FilingRule, Mailbox } from './types.d.ts' */

/** @type {[name: string, label: string, placeholder: string][]} */
const TEXTS = [
  ['name', 'Name of the rule', 'Invoices'],
  ['from', 'From', 'ada@example.org or @example.org'],
  ['to', 'To', 'alice+shop@example.org'],
  ['subject', 'Subject contains', 'invoice'],
  ['listId', 'Mailing list (List-Id)', 'news.example.org'],
];

/** @param {{ mailboxes: Mailbox[], onAdd: (rule: FilingRule) => void, onCancel: () => void }} props */
export function RuleForm({ mailboxes, onAdd, onCancel }) {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  useEffect(() => form.current?.querySelector('input')?.focus(), []);
  return html`<form
    ref=${form}
    class="rule"
    aria-label="New rule"
    onSubmit=${(/** @type {Event} */ event) => {
      event.preventDefault();
      if (form.current) onAdd(ruleOf(new FormData(form.current)));
    }}
  >
    ${TEXTS.map(
      ([name, label, placeholder]) =>
        html`<label key=${name}>
          ${label}
          <input
            type="text"
            name=${name}
            placeholder=${placeholder}
            autocomplete="off"
            autocapitalize="none"
          />
        </label>`,
    )}
    <label>
      Move to
      <select name="mailboxId">
        <option value="">(no mailbox: only mark)</option>
        ${mailboxes.map(({ id, name }) => html`<option key=${id} value=${id}>${name}</option>`)}
      </select>
    </label>
    <div class="marks">
      <label><input type="checkbox" name="keywords" value="$flagged" /> Star it</label>
      <label><input type="checkbox" name="keywords" value="$seen" /> Mark as read</label>
      <label><input type="checkbox" name="stop" /> Look at no later rule</label>
    </div>
    <div class="buttons">
      <button class="primary">Add rule</button>
      <button type="button" class="secondary" onClick=${onCancel}>Cancel</button>
    </div>
  </form>`;
}

/** In the form in which the server tells it. @param {FormData} data @returns {FilingRule} */
function ruleOf(data) {
  const text = (/** @type {string} */ name) => String(data.get(name) ?? '').trim();
  const orNull = (/** @type {string} */ name) => text(name).toLowerCase() || null;
  return {
    name: text('name'),
    keywords: data.getAll('keywords').map(String),
    stop: data.has('stop'),
    from: orNull('from'),
    to: orNull('to'),
    subject: text('subject') || null,
    listId: orNull('listId'),
    mailboxId: text('mailboxId') || null,
  };
}
