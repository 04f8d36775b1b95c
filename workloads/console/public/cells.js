// Cells with their app servers, and the other processes, in one table: its columns are the same for all of them.
import { useState } from 'preact/hooks';
import { html } from 'htm/preact';
import { duration, memory, ms, percent, rate, shortened } from './format.js';
import { Map as CellMap, hueOf } from './map.js';
import { Trend } from './trend.js';

/** @import { CellView, FindingView, LoadView, ProcessView } from '../load-view.ts' */

/** Up to so many cells their servers are all shown; of more, those of which something is to be told. */
const ALL_SHOWN = 6;
const COLUMNS = 10;
/** Characters of a name that there is room for: of a process, of a cell. */
const MAX_NAME = 17;
const MAX_CELL = 9;

/** @param {{ view: LoadView }} props */
export function Cells({ view }) {
  const { cells, services, findings } = view;
  const [open, setOpen] = useState(/** @type {Record<string, boolean>} */ ({}));
  const shown = (/** @type {CellView} */ { name, nodes }) =>
    open[name] ??
    (cells.length <= ALL_SHOWN ||
      nodes.some((node) => findings.some(({ process }) => process.endsWith(` ${node.name}`))));
  return html`
    <section class="card" aria-label="Cells">
      <${CellMap} view=${view} />
      <table>
        <thead>
          <tr>
            <th scope="col">Cell, process</th>
            <th scope="col">State</th>
            <th
              scope="col"
              class="number"
              title="Of the buckets that are assigned; of an app server, of the keys of its cell"
            >
              Share
            </th>
            <th scope="col" class="number" title="HTTP requests a second">Req/s</th>
            <th scope="col" class="number" title="Answers of 5xx a second">Err/s</th>
            <th scope="col" class="number" title="Time of an answer in ms, 99th percentile">p99</th>
            <th scope="col" class="number" title="Of one processor">CPU</th>
            <th scope="col" class="number" title="How late the event loop is in ms, 99th percentile">Lag</th>
            <th scope="col" class="number" title="Resident memory">Memory</th>
            <th scope="col" class="trend" title="Requests a second, 15 minutes">Trend</th>
          </tr>
        </thead>
        ${cells.map(
          (cell, index) => html`
            <tbody key=${cell.name}>
              <${CellRow}
                cell=${cell}
                hue=${hueOf(index)}
                hot=${findings.some(({ process }) => process === `cell ${cell.name}`)}
                isOpen=${shown(cell)}
                onToggle=${() => setOpen({ ...open, [cell.name]: !shown(cell) })}
              />
              ${
                shown(cell) &&
                cell.nodes.map(
                  (node) =>
                    html`<${ProcessRow}
                      key=${node.name}
                      process=${node}
                      name=${`app-server ${node.name}`}
                      cell=${cell.name}
                      findings=${findings}
                    />`,
                )
              }
            </tbody>
          `,
        )}
        <tbody>
          <tr class="group">
            <th colspan=${COLUMNS} scope="rowgroup">Services</th>
          </tr>
          ${services.map(
            (process) =>
              html`<${ProcessRow}
                key=${process.name + process.url}
                process=${process}
                name=${process.name}
                findings=${findings}
              />`,
          )}
        </tbody>
      </table>
    </section>
  `;
}

/** @param {{ cell: CellView, hue: string, hot: boolean, isOpen: boolean, onToggle: () => void }} props */
function CellRow({ cell, hue, hot, isOpen, onToggle }) {
  const { name, state, share, nodes } = cell;
  const serving = nodes.filter((node) => node.state === 'serving').length;
  return html`
    <tr class="cell">
      <th scope="row">
        <button aria-expanded=${isOpen} onClick=${onToggle}>
          <span class=${`swatch ${hue}`}></span
          ><span class="cut" title=${`Cell ${name}`}>${cellTitle(name)}</span>
          <span class="faint">${serving}/${nodes.length}</span>
        </button>
      </th>
      <td class=${`state ${hot ? 'hot' : state === 'Enabled' ? '' : 'warm'}`}>${state}</td>
      <${Value} text=${percent(share)} />
      <${Value} text=${rate(cell.requestsPerSecond)} />
      <${Value} text=${rate(cell.errorsPerSecond)} isHot=${cell.errorsPerSecond >= 0.05} />
      <${Value} text=${ms(cell.p99Ms)} />
      <td
        colspan="3"
        class="note"
        title="Log entries a second; 99th percentile of the calls of the log's store"
      >
        ${`${rate(cell.appendsPerSecond)} entries/s`}${cell.storeP99Ms === null ? '' : `, store ${duration(cell.storeP99Ms)}`}
      </td>
      <td class="trend"><${Trend} values=${cell.history} /></td>
    </tr>
  `;
}

/** @param {string} name */
const cellTitle = (name) => shortened(`Cell ${name}`.length <= MAX_CELL ? `Cell ${name}` : name, MAX_CELL);

/** Where there is no room for all of it, the name of the cell is left out. @param {string} name @param {string} [cell] */
const shortName = (name, cell) =>
  shortened(
    cell !== undefined && name.length > MAX_NAME && name.startsWith(cell)
      ? `…${name.slice(cell.length)}`
      : name,
    MAX_NAME,
  );

/** @param {{ process: ProcessView, name: string, cell?: string, findings: FindingView[] }} props */
function ProcessRow({ process, name, cell, findings }) {
  const own = findings.filter((finding) => finding.process === name);
  const isHot = (/** @type {string[]} */ ...kinds) => own.some(({ kind }) => kinds.includes(kind));
  return html`
    <tr>
      <th scope="row">
        <span class="cut" title=${`${process.name} at ${process.url}`}>${shortName(process.name, cell)}</span>
      </th>
      <td
        class=${`state ${isHot('down') || process.problem !== null ? 'hot' : process.state === 'serving' || process.state === 'up' ? 'good' : 'warm'}`}
        title=${process.problem ?? ''}
      >
        ${process.state}
      </td>
      <${Value} text=${process.share === null ? '' : percent(process.share)} />
      <${Value} text=${rate(process.requestsPerSecond)} />
      <${Value} text=${rate(process.errorsPerSecond)} isHot=${isHot('errors')} />
      <${Value} text=${ms(process.p99Ms)} isHot=${isHot('store', 'stage')} />
      <${Value} text=${percent(process.cpuCores)} isHot=${isHot('processor')} />
      <${Value} text=${ms(process.lagMs)} isHot=${isHot('processor')} />
      <${Value} text=${memory(process.memoryBytes)} isHot=${isHot('memory')} />
      <td class="trend"><${Trend} values=${process.history} /></td>
    </tr>
  `;
}

/** @param {{ text: string, isHot?: boolean }} props */
function Value({ text, isHot = false }) {
  const isNothing = text === '0' || text === '–' || text === '0%';
  return html`<td class=${`number ${isHot ? 'hot' : isNothing ? 'faint' : ''}`}>${text}</td>`;
}
