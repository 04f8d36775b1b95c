// Asks for what opens the console.
import { html } from 'htm/preact';

/** @param {{ notice: string, onSignIn: (secret: string) => void }} props */
export function SignIn({ notice, onSignIn }) {
  /** @param {SubmitEvent} event */
  const submit = (event) => {
    event.preventDefault();
    const field = /** @type {HTMLFormElement} */ (event.currentTarget).elements.namedItem('secret');
    const secret = field instanceof HTMLInputElement ? field.value.trim() : '';
    if (secret) onSignIn(secret);
  };
  return html`
    <main class="sign-in">
      <form class="card" onSubmit=${submit}>
        <h1><img src="/console/icon.svg" alt="" width="32" height="32" />Cellpost console</h1>
        <label>
          Console key or platform token
          <input name="secret" type="password" autocomplete="off" required autofocus />
        </label>
        <p class="problem" role="alert">${notice}</p>
        <button class="primary">Open</button>
        <p class="hint"><code>cellctl top --link</code> prints a link that needs neither.</p>
      </form>
    </main>
  `;
}
