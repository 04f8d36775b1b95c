// The whole of the console, once it is open.
import { html } from 'htm/preact';
import { Banner } from './banner.js';
import { Cells } from './cells.js';
import { time } from './format.js';
import { useLoad } from './load.js';
import { Stages } from './stages.js';
import { Totals } from './totals.js';
import { Users } from './users.js';

/** Cells, up to which the busiest users stand below them. */
const SMALL = 3;

/** @param {{ secret: string, onRefused: (problem: string) => void, onSignOut: () => void }} props */
export function Console({ secret, onRefused, onSignOut }) {
  const { view, problem } = useLoad(secret, onRefused);
  // Where there is room for them on the first screen.
  const isSmall = view !== undefined && view.cells.length <= SMALL;
  return html`
    <header class="bar">
      <h1><img src="/console/icon.svg" alt="" width="24" height="24" />Cellpost console</h1>
      <p class=${problem ? 'live off' : 'live'} role="status">
        ${problem || (view ? html`as of <time>${time(view.at, new Date())}</time>` : 'Looking …')}
      </p>
      <button onClick=${onSignOut}>Close</button>
    </header>
    ${
      view &&
      html`
        <main class=${problem ? 'stale' : ''}>
          <${Banner} findings=${view.findings} />
          <${Totals} view=${view} />
          <div class="columns">
            <div class="side">
              <${Cells} view=${view} />
              ${isSmall && html`<${Users} users=${view.users} />`}
            </div>
            <div class="side">
              <${Stages} stages=${view.stages} findings=${view.findings} />
              ${!isSmall && html`<${Users} users=${view.users} />`}
            </div>
          </div>
        </main>
      `
    }
  `;
}
