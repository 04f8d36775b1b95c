// The last 15 minutes as a line; as much as is known of them.
import { html } from 'htm/preact';

const PAD = 1.5;
/** While less is known, the line begins at its left: five minutes fill it. */
const MIN_POINTS = 20;

/** @param {{ values: (number | null)[], width?: number, height?: number }} props */
export function Trend({ values, width = 84, height = 18 }) {
  const known = values.findIndex((value) => value !== null);
  const points = values.slice(
    Math.max(0, Math.min(known < 0 ? values.length : known, values.length - MIN_POINTS)),
  );
  const top = Math.max(1e-9, ...points.map((value) => value ?? 0));
  const step = (width - 2 * PAD) / Math.max(1, points.length - 1);
  let path = '';
  let isDrawing = false;
  points.forEach((value, index) => {
    if (value !== null) {
      const x = (PAD + index * step).toFixed(1);
      const y = (height - PAD - (value / top) * (height - 2 * PAD)).toFixed(1);
      path += `${isDrawing ? 'L' : 'M'}${x} ${y}`;
      // A point by itself is a line of no length, which round ends make visible.
      if (!isDrawing) path += `L${x} ${y}`;
    }
    isDrawing = value !== null;
  });
  return html`<svg class="trend" width=${width} height=${height} aria-hidden="true"><path d=${path} /></svg>`;
}
