// The sign-in form.
import { useEffect, useState } from 'preact/hooks';
import { html } from 'htm/preact';

/** @import { Login } from './types.d.ts' */

/** @param {{ onSignIn: (login: Login) => Promise<void>, notice: string }} props */
export function SignIn({ onSignIn, notice }) {
  const [address, setAddress] = useState('');
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState(notice);
  const [demo, setDemo] = useState(/** @type {{ addresses: string[], password: string } | null} */ (null));

  useEffect(() => {
    fetch('/config.json', { credentials: 'omit' })
      .then((response) => response.json())
      .then((config) => setDemo(config.demo))
      .catch(() => undefined);
  }, []);

  /** @param {Login} login */
  const signIn = async (login) => {
    setBusy(true);
    setProblem('');
    try {
      await onSignIn(login);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
      setBusy(false);
    }
  };

  return html`<main class="sign-in">
    <form
      class="card"
      onSubmit=${(/** @type {Event} */ event) => {
        event.preventDefault();
        void signIn({ address: address.trim(), password });
      }}
    >
      <h1><img src="icon.svg" alt="" width="36" height="36" /> Cellpost</h1>
      <label>
        Email address
        <input
          type="email"
          name="address"
          autocomplete="username"
          required
          autofocus
          value=${address}
          onInput=${(/** @type {any} */ event) => setAddress(event.currentTarget.value)}
        />
      </label>
      <label>
        Password
        <input
          type="password"
          name="password"
          autocomplete="current-password"
          required
          value=${password}
          onInput=${(/** @type {any} */ event) => setPassword(event.currentTarget.value)}
        />
      </label>
      <p class="problem" role="alert">${problem}</p>
      <button class="primary" disabled=${busy}>${busy ? 'Signing in …' : 'Sign in'}</button>
      ${
        demo &&
        html`<section class="demo" aria-label="Demo users">
          <p>A demonstration: sign in as</p>
          <div>
            ${demo.addresses.map(
              (demoAddress) =>
                html`<button
                  type="button"
                  disabled=${busy}
                  onClick=${() => signIn({ address: demoAddress, password: demo.password })}
                >
                  ${demoAddress.split('@')[0]}
                </button>`,
            )}
          </div>
          <p class="faint">Passwords: <code>${demo.password}</code></p>
        </section>`
      }
    </form>
  </main>`;
}
