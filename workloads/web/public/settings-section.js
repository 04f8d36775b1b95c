// What the sections of the settings have in common: a heading, a problem in words, one change at a time.
import { useEffect, useRef, useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { Icon } from './icons.js';
import { SignInFailed } from './jmap.js';
import { problemInWords } from './settings-words.js';

/** @import { MailStore } from './mail-store.js' */

/**
 * @param {MailStore} store
 * @param {() => Promise<void>} step
 * @param {(problem: string) => void} tell takes what went wrong, in words; '' when nothing did
 * @returns {Promise<boolean>} whether it was done
 */
export async function attempt(store, step, tell) {
  try {
    await step();
    tell('');
    return true;
  } catch (error) {
    if (error instanceof SignInFailed) store.signOut();
    else tell(problemInWords(error));
    return false;
  }
}

/** Makes a change after those before it, and says that it is done. @typedef {(change: () => Promise<void>, done: string) => Promise<boolean>} Save */

/**
 * Of a section.
 * @param {MailStore} store
 * @returns {{ problem: string, save: Save }} the last problem in words
 */
export function useSaving(store) {
  const [problem, setProblem] = useState('');
  const last = useRef(Promise.resolve(true));
  /** @type {Save} */
  const save = (change, done) => {
    const step = async () => {
      await change();
      store.say(done);
    };
    last.current = last.current.then(() => attempt(store, step, setProblem));
    return last.current;
  };
  return { problem, save };
}

/** @param {{ id: string, title: string, hint: string, problem: string, children?: unknown }} props */
export function Section({ id, title, hint, problem, children }) {
  const element = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    if (problem) element.current?.scrollIntoView({ block: 'nearest' });
  }, [problem]);
  return html`<section class="setting" aria-labelledby=${id}>
    <h2 id=${id} tabindex="-1">${title}</h2>
    <p class="faint">${hint}</p>
    ${children}
    <p ref=${element} class="problem" role="alert">${problem}</p>
  </section>`;
}

/**
 * Takes an entry off its list. The focus goes to the heading of the section: what had it is gone.
 * @param {{ what: string, section: string, run: () => Promise<boolean> }} props
 */
export function Remove({ what, section, run }) {
  return html`<button
    type="button"
    class="icon-button"
    title="Remove"
    aria-label=${`Remove ${what}`}
    onClick=${async () => {
      if (await run()) document.getElementById(section)?.focus();
    }}
  >
    <${Icon} name="close" />
  </button>`;
}

/**
 * A text, and a button that adds it; the text stays when the server does not take it.
 * @param {{ label: string, placeholder: string, onAdd: (text: string) => Promise<boolean>, children?: unknown }} props
 */
export function AddText({ label, placeholder, onAdd, children }) {
  const [text, setText] = useState('');
  return html`<form
    class="add"
    onSubmit=${async (/** @type {Event} */ event) => {
      event.preventDefault();
      if (await onAdd(text.trim())) setText('');
    }}
  >
    <label>
      ${label}
      <input
        type="text"
        required
        autocomplete="off"
        autocapitalize="none"
        spellcheck=${false}
        placeholder=${placeholder}
        value=${text}
        onInput=${(/** @type {any} */ event) => setText(event.currentTarget.value)}
      />
    </label>
    ${children}
    <button class="secondary">Add</button>
  </form>`;
}
