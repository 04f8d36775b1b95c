// The inbox page: signs in, then shows the mailbox.
import { render } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { Inbox } from './inbox.js';
import { JmapClient, SignInFailed } from './jmap.js';
import { MailStore } from './mail-store.js';
import { SignIn } from './sign-in.js';

/** @import { Login } from './types.d.ts' */

/** Of this tab only, gone with it: a reload doesn't ask again. */
const KEY = 'cellpost.login';

/** @returns {Login | undefined} */
function savedLogin() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY) ?? 'null') ?? undefined;
  } catch {
    return undefined;
  }
}

function App() {
  const [store, setStore] = useState(/** @type {MailStore | undefined} */ (undefined));
  const [waiting, setWaiting] = useState(savedLogin() !== undefined);
  const [notice, setNotice] = useState('');

  const signOut = (text = '') => {
    sessionStorage.removeItem(KEY);
    setStore((current) => {
      current?.close();
      return undefined;
    });
    setNotice(text);
    document.title = 'Cellpost';
  };

  /** @param {Login} login */
  const signIn = async (login) => {
    const store = new MailStore(await JmapClient.open(login));
    await store.open();
    store.addEventListener('signed-out', () => signOut('Your password has changed: sign in again.'));
    sessionStorage.setItem(KEY, JSON.stringify(login));
    setNotice('');
    setStore(store);
  };

  useEffect(() => {
    const login = savedLogin();
    if (!login) return;
    signIn(login)
      .catch((error) => {
        if (error instanceof SignInFailed) signOut(error.message);
        else setNotice(error.message);
      })
      .finally(() => setWaiting(false));
  }, []);

  if (store) return html`<${Inbox} store=${store} onSignOut=${() => signOut()} />`;
  if (waiting) return html`<div class="splash" role="status">Opening your mailbox …</div>`;
  return html`<${SignIn} onSignIn=${signIn} notice=${notice} />`;
}

render(html`<${App} />`, document.body);
