// The console's page: shows how the platform fares, live.
import { render } from 'preact';
import { useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { Console } from './console.js';
import { SignIn } from './sign-in.js';

/** Of this tab only, gone with it. */
const KEY = 'cellpost.console';

/** A link may bring it along: what stands behind # is never sent to a server, nor kept in the history from here on. */
function secretOfLink() {
  const secret = new URLSearchParams(location.hash.slice(1)).get('key');
  if (secret) {
    sessionStorage.setItem(KEY, secret);
    history.replaceState(null, '', location.pathname);
  }
  return secret ?? sessionStorage.getItem(KEY) ?? '';
}

function App() {
  const [secret, setSecret] = useState(secretOfLink);
  const [notice, setNotice] = useState('');

  /** @param {string} given @param {string} [problem] */
  const use = (given, problem = '') => {
    if (given) sessionStorage.setItem(KEY, given);
    else sessionStorage.removeItem(KEY);
    setNotice(problem);
    setSecret(given);
  };

  if (!secret) return html`<${SignIn} notice=${notice} onSignIn=${use} />`;
  return html`<${Console}
    secret=${secret}
    onRefused=${(/** @type {string} */ problem) => use('', problem)}
    onSignOut=${() => use('')}
  />`;
}

render(html`<${App} />`, document.body);
