// The user's filing rules, in the order in which they are looked at.
import { useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { Icon } from './icons.js';
import { RuleForm } from './settings-rule-form.js';
import { Remove, Section, useSaving } from './settings-section.js';
import { ruleInWords } from './settings-words.js';

/** @import { MailStore } from './mail-store.js' */
/** @import { FilingRule, FilingSettings } from './types.d.ts' */

const ID = 'setting-rules';
const NEW = 'setting-rules-new';

/** @type {(keyof FilingRule)[]} */
const PROPERTIES = ['name', 'from', 'to', 'subject', 'listId', 'mailboxId', 'keywords', 'stop'];

/** @param {FilingRule} rule */
const textOf = (rule) => JSON.stringify(PROPERTIES.map((name) => rule[name]));

/** @param {FilingRule} a */
const isSame = (a) => (/** @type {FilingRule} */ b) => textOf(a) === textOf(b);

/** @param {{ store: MailStore, filing: FilingSettings }} props */
export function RulesSetting({ store, filing }) {
  const { problem, save } = useSaving(store);
  const [isAdding, setAdding] = useState(false);

  /** @param {(rules: FilingRule[]) => FilingRule[]} edit the same rules where nothing is to be done @param {string} done */
  const change = (edit, done) =>
    save(
      async () =>
        await store.settings.filing?.change(({ rules }) => {
          const edited = edit(rules);
          return edited === rules ? {} : { rules: edited };
        }),
      done,
    );
  /** @param {FilingRule} rule */
  const add = async (rule) => {
    const isAdded = await change(
      (rules) => (rules.some(isSame(rule)) ? rules : [...rules, rule]),
      'Rule added',
    );
    if (isAdded) close();
  };
  /** @param {FilingRule} rule */
  const remove = (rule) => {
    const isIt = isSame(rule);
    return change((rules) => (rules.some(isIt) ? rules.filter((one) => !isIt(one)) : rules), 'Rule removed');
  };
  /** @param {FilingRule} rule */
  const raise = (rule) =>
    change((rules) => {
      const place = rules.findIndex(isSame(rule));
      const above = rules[place - 1];
      return above ? [...rules.slice(0, place - 1), rule, above, ...rules.slice(place + 1)] : rules;
    }, 'Rule moved up');
  const close = () => {
    setAdding(false);
    // It is there again after the next drawing.
    setTimeout(() => document.getElementById(NEW)?.focus());
  };

  return html`<${Section}
    id=${ID}
    title="Rules"
    hint="Looked at from top to bottom when mail arrives. The first one that names a mailbox decides where it goes; stars and marks add up."
    problem=${problem}
  >
    ${
      filing.rules.length > 0 &&
      html`<ol class="entries">
        ${filing.rules.map(
          (rule, index) =>
            html`<li key=${textOf(rule)}>
              <span class="what">
                ${rule.name && html`<strong>${rule.name}</strong>`}
                <span>${ruleInWords(rule, store.mailboxes)}</span>
              </span>
              ${
                index > 0 &&
                html`<button
                  type="button"
                  class="icon-button"
                  title="Move up"
                  aria-label=${`Move ${nameOf(rule, index)} up`}
                  onClick=${() => raise(rule)}
                >
                  <${Icon} name="up" />
                </button>`
              }
              <${Remove} what=${nameOf(rule, index)} section=${ID} run=${() => remove(rule)} />
            </li>`,
        )}
      </ol>`
    }
    ${
      isAdding
        ? html`<${RuleForm} mailboxes=${store.mailboxes} onAdd=${add} onCancel=${close} />`
        : html`<button id=${NEW} type="button" class="secondary" onClick=${() => setAdding(true)}>
            New rule
          </button>`
    }
  </${Section}>`;
}

/** @param {FilingRule} rule @param {number} index */
function nameOf({ name }, index) {
  return `rule ${name || index + 1}`;
}
