// What is saturated and since when, in sentences.
import { html } from 'htm/preact';
import { time } from './format.js';

/** @import { FindingView } from '../load-view.ts' */

const SHOWN = 3;

/** @param {{ findings: FindingView[] }} props */
export function Banner({ findings }) {
  const now = new Date();
  const [first, ...others] = findings;
  if (!first)
    return html`<section class="banner calm" aria-label="Bottleneck"><p>Nothing is saturated.</p></section>`;
  const more = others.length - SHOWN;
  return html`
    <section class="banner hot" aria-label="Bottleneck">
      <p>
        <strong>${first.process}</strong>: ${first.text}<span class="since"
          >, since ${time(first.since, now)}</span
        >
      </p>
      ${
        others.length > 0 &&
        html`<ul>
          ${others
            .slice(0, SHOWN)
            .map(
              ({ process, text, since }) =>
                html`<li>
                  <b>${process}</b>: ${text}<span class="since">, since ${time(since, now)}</span>
                </li>`,
            )}
          ${more > 0 && html`<li class="faint">and ${more} more</li>`}
        </ul>`
      }
    </section>
  `;
}
