// Discovery's map: which cell has how many of the buckets that are assigned.
import { html } from 'htm/preact';
import { grouped, percent } from './format.js';

/** @import { LoadView } from '../load-view.ts' */

const BUCKETS = 65_536;
const HUES = 8;
/** In parts of a thousand: a cell is seen, however small its share. */
const WIDTH = 1_000;

/** @param {number} index of the cell */
export const hueOf = (index) => `hue-${index % HUES}`;

/** @param {{ view: LoadView }} props */
export function Map({ view }) {
  const { map, cells } = view;
  const assigned = Math.max(1, BUCKETS - map.unassignedBuckets);
  let x = 0;
  const bars = cells.map(({ name, buckets }, index) => {
    const width = (buckets / assigned) * WIDTH;
    const bar = { name, x, width, hue: hueOf(index) };
    x += width;
    return bar;
  });
  const facts = [
    `version ${map.version ?? '–'}`,
    `${grouped(BUCKETS - map.unassignedBuckets)} of ${grouped(BUCKETS)} buckets assigned`,
    map.exceptions > 0 && `${grouped(map.exceptions)} exceptions`,
    map.ageSeconds >= 1 && `${Math.round(map.ageSeconds)} s old`,
  ].filter(Boolean);
  return html`
    <div class="map">
      <h2>Map <span>${facts.join(' · ')}</span></h2>
      ${map.problem !== null && html`<p class="hot">Discovery does not answer: ${map.problem}</p>`}
      <svg
        viewBox=${`0 0 ${WIDTH} 10`}
        preserveAspectRatio="none"
        role="img"
        aria-label="Buckets of each cell"
      >
        <rect class="rest" width=${WIDTH} height="10" />
        ${bars.map(
          ({ name, x, width, hue }) =>
            html`<rect class=${hue} x=${x} width=${width} height="10">
              <title>Cell ${name}: ${percent(width / WIDTH)} of the buckets that are assigned</title>
            </rect>`,
        )}
      </svg>
    </div>
  `;
}
