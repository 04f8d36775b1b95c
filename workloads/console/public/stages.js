// How long each stage of the work takes.
import { html } from 'htm/preact';
import { ms, rate } from './format.js';
import { Trend } from './trend.js';

/** @import { FindingView, StageView } from '../load-view.ts' */

/** @type {Record<string, string>} */
const TITLES = {
  'mta-proxy': 'MTA proxy',
  'app-server': 'App servers',
  discovery: 'Discovery',
  'user-index': 'User index',
  'memcache-dirty': 'Counts',
  web: 'Web',
};

/** @param {{ stages: StageView[], findings: FindingView[] }} props */
export function Stages({ stages, findings }) {
  const workloads = [...new Set(stages.map(({ workload }) => workload))].filter((workload) =>
    stages.some((stage) => stage.workload === workload && isUsed(stage)),
  );
  return html`
    <section class="card" aria-label="Latency by stage">
      <table>
        <thead>
          <tr>
            <th scope="col">Latency, ms</th>
            <th scope="col" class="number" title="Times a second">/s</th>
            <th scope="col" class="number" title="Median">p50</th>
            <th scope="col" class="number" title="99th percentile">p99</th>
            <th scope="col" class="number" title="Median of the 99th percentiles of the last 15 minutes">
              Usual
            </th>
            <th scope="col" class="trend" title="99th percentile, 15 minutes">Trend</th>
          </tr>
        </thead>
        ${workloads.map(
          (workload) => html`
            <tbody key=${workload}>
              <tr class="group">
                <th colspan="6" scope="rowgroup">${TITLES[workload] ?? workload}</th>
              </tr>
              ${stages
                .filter((stage) => stage.workload === workload && isUsed(stage))
                .map(
                  (stage) =>
                    html`<${StageRow} key=${stage.stage} stage=${stage} isHot=${isHot(stage, findings)} />`,
                )}
            </tbody>
          `,
        )}
      </table>
      ${workloads.length === 0 && html`<p class="nothing">Nothing has been done yet.</p>`}
    </section>
  `;
}

/** Those of the last quarter of an hour. @param {StageView} stage */
const isUsed = ({ perSecond, history }) => perSecond > 0 || history.some((value) => value !== null);

/** @param {StageView} stage @param {FindingView[]} findings */
const isHot = ({ workload, stage }, findings) =>
  findings.some(
    ({ kind, subject, process }) =>
      (kind === 'store' || kind === 'stage') && subject === stage && process.startsWith(workload),
  );

/** @param {{ stage: StageView, isHot: boolean }} props */
function StageRow({ stage, isHot }) {
  const { title, perSecond, p50Ms, p99Ms, usualMs, slowest, history } = stage;
  return html`
    <tr>
      <th scope="row">
        <span class="cut" title=${slowest === null ? '' : `slowest on ${slowest}`}>${title}</span>
      </th>
      <td class="number">${rate(perSecond)}</td>
      <td class="number">${ms(p50Ms)}</td>
      <td class=${isHot ? 'number hot' : 'number'}>${ms(p99Ms)}</td>
      <td class="number faint">${ms(usualMs)}</td>
      <td class="trend"><${Trend} values=${history} width=${64} /></td>
    </tr>
  `;
}
