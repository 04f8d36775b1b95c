// The users that keep app servers busiest.
import { html } from 'htm/preact';
import { bytes, grouped, shortened } from './format.js';

/** @import { UserView } from '../load-view.ts' */

const SHOWN = 8;
/** Characters of a cell's name that there is room for. */
const MAX_CELL = 5;

/** @param {{ users: UserView[] }} props */
export function Users({ users }) {
  const isHidden = users.some(({ userId }) => userId === null);
  return html`
    <section class="card" aria-label="Busiest users">
      <table>
        <thead>
          <tr>
            <th scope="col">Busiest users, a minute</th>
            <th scope="col">Cell</th>
            <th scope="col" class="number">Requests</th>
            <th scope="col" class="number">Bytes</th>
            <th scope="col" class="number" title="Log entries">Entries</th>
          </tr>
        </thead>
        <tbody>
          ${users.slice(0, SHOWN).map(
            ({ userId, cell, requests, bytes: size, appends }, index) => html`
              <tr key=${userId ?? index}>
                <th scope="row">
                  ${
                    userId === null
                      ? html`<span class="faint">user ${index + 1}</span>`
                      : html`<code class="cut" title=${userId}>${userId}</code>`
                  }
                </th>
                <td><span class="cut" title=${cell}>${shortened(cell, MAX_CELL)}</span></td>
                <td class="number">${grouped(Math.round(requests))}</td>
                <td class="number">${bytes(size)}</td>
                <td class="number">${grouped(Math.round(appends))}</td>
              </tr>
            `,
          )}
        </tbody>
      </table>
      ${users.length === 0 && html`<p class="nothing">Nobody was busy in the last minute.</p>`}
      ${isHidden && html`<p class="nothing">Who they are is told to whoever shows the platform's token.</p>`}
    </section>
  `;
}
