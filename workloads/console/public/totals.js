// The platform in five numbers.
import { html } from 'htm/preact';
import { ms, rate } from './format.js';
import { Trend } from './trend.js';

/** @import { LoadView } from '../load-view.ts' */

/** @param {{ view: LoadView }} props */
export function Totals({ view }) {
  const { totals, cells, services } = view;
  const processes = [...cells.flatMap(({ nodes }) => nodes), ...services];
  const answering = processes.filter(({ problem }) => problem === null).length;
  const all = answering === processes.length;
  return html`
    <section class="totals" aria-label="Totals">
      <${Total} name="Requests" unit="a second" value=${rate(totals.requestsPerSecond)}>
        <${Trend} values=${totals.history} width=${150} height=${34} />
      <//>
      <${Total}
        name="Errors"
        unit="a second"
        value=${rate(totals.errorsPerSecond)}
        hot=${totals.errorsPerSecond >= 0.05}
      />
      <${Total} name="Log entries" unit="a second" value=${rate(totals.appendsPerSecond)} />
      <${Total} name="Median" unit="answer, ms" value=${ms(totals.p50Ms)} />
      <${Total} name="99 %" unit="answer, ms" value=${ms(totals.p99Ms)} />
      <${Total} name="Processes" unit="answer" value=${`${answering}/${processes.length}`} hot=${!all} />
    </section>
  `;
}

/**
 * @param {{ name: string, unit: string, value: string, hot?: boolean,
 *           children?: import('preact').ComponentChildren }} props
 */
function Total({ name, unit, value, hot = false, children }) {
  return html`
    <div class="total">
      <div>
        <h2>${name} <span>${unit}</span></h2>
        <p class=${hot ? 'hot' : ''}>${value}</p>
      </div>
      ${children}
    </div>
  `;
}
