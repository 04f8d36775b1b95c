// The settings, in the place of list and message.
import { useEffect, useReducer, useRef, useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { Icon } from './icons.js';
import { BlockedSetting, MutedSetting, ReachSetting } from './settings-reach.js';
import { RulesSetting } from './settings-rules.js';
import { attempt } from './settings-section.js';
import { SendersSetting } from './settings-senders.js';

/** @import { MailStore } from './mail-store.js' */

/** @param {{ store: MailStore, onClose: () => void }} props */
export function Settings({ store, onClose }) {
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const [problem, setProblem] = useState('');
  const heading = useRef(/** @type {HTMLHeadingElement | null} */ (null));
  const { settings } = store;

  const load = () =>
    attempt(
      store,
      async () => {
        await settings.load();
        redraw(undefined);
      },
      setProblem,
    );
  useEffect(() => {
    heading.current?.focus();
    void load();
    const onStale = () => void load();
    settings.addEventListener('stale', onStale);
    return () => settings.removeEventListener('stale', onStale);
  }, [settings]);

  const privacy = settings.privacy?.value;
  const filing = settings.filing?.value;
  return html`<main class="settings" aria-labelledby="settings">
    <header>
      <button class="icon-button" title="Back to the mail" aria-label="Back to the mail" onClick=${onClose}>
        <${Icon} name="back" />
      </button>
      <h1 id="settings" ref=${heading} tabindex="-1">Settings</h1>
    </header>
    ${privacy && html`<${ReachSetting} store=${store} privacy=${privacy} />`}
    ${filing && html`<${RulesSetting} store=${store} filing=${filing} />`}
    ${filing && html`<${SendersSetting} store=${store} filing=${filing} />`}
    ${privacy && html`<${BlockedSetting} store=${store} privacy=${privacy} />`}
    ${privacy && html`<${MutedSetting} store=${store} privacy=${privacy} />`}
    ${!privacy && !filing && !problem && html`<p class="empty" role="status">Loading …</p>`}
    ${
      problem &&
      html`<div class="notice" role="alert">
        <span>${problem}</span><button onClick=${load}>Try again</button>
      </div>`
    }
  </main>`;
}
