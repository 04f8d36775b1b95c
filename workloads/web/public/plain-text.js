// A message's plain text: links can be followed, quotes are set back.
import { html } from 'htm/preact';

const LINK = /\bhttps?:\/\/[^\s<>"]+[^\s<>"'.,;:!?)\]}]/g;

/** @param {{ text: string }} props */
export function PlainText({ text }) {
  const lines = text.replaceAll('\r\n', '\n').replace(/\s+$/, '').split('\n');
  return html`<div class="plain">
    ${lines.map((line) => {
      const depth = /^(?:> ?)+/.exec(line)?.[0].replaceAll(' ', '').length ?? 0;
      return html`<div class=${depth > 0 ? `quote depth-${Math.min(depth, 3)}` : ''}>
        ${line === '' ? html`<br />` : withLinks(line)}
      </div>`;
    })}
  </div>`;
}

/** @param {string} line */
function withLinks(line) {
  const parts = [];
  let from = 0;
  for (const match of line.matchAll(LINK)) {
    parts.push(line.slice(from, match.index));
    parts.push(html`<a href=${match[0]} target="_blank" rel="noopener noreferrer">${match[0]}</a>`);
    from = match.index + match[0].length;
  }
  parts.push(line.slice(from));
  return parts;
}
