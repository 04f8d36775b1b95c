// Which parts are the text, which are attachments: the algorithm of RFC 8621 section 4.1.4.
import type { Part } from './message.ts';

export type Bodies = {
  /** To be shown one after the other where plain text is preferred. */
  text: Part[];
  /** The same where HTML is preferred. */
  html: Part[];
  attachments: Part[];
};

export function selectBodies(structure: Part): Bodies {
  const bodies: Bodies = { text: [], html: [], attachments: [] };
  walk([structure], 'mixed', false, bodies.text, bodies.html, bodies.attachments);
  return bodies;
}

function isMedia(type: string): boolean {
  return type.startsWith('image/') || type.startsWith('audio/') || type.startsWith('video/');
}

/** `text` or `html` is undefined below an alternative that has gone the other way. */
function walk(
  parts: readonly Part[],
  multipart: string,
  inAlternative: boolean,
  text: Part[] | undefined,
  html: Part[] | undefined,
  attachments: Part[],
): void {
  const textBefore = text?.length ?? -1;
  const htmlBefore = html?.length ?? -1;
  for (const [index, part] of parts.entries()) {
    if (part.partId === null) {
      const kind = part.type.slice('multipart/'.length);
      walk(part.subParts, kind, inAlternative || kind === 'alternative', text, html, attachments);
      continue;
    }
    if (!isInline(part, index, multipart)) {
      attachments.push(part);
      continue;
    }
    if (multipart === 'alternative') {
      if (part.type === 'text/plain') text?.push(part);
      else if (part.type === 'text/html') html?.push(part);
      else attachments.push(part);
      continue;
    }
    if (inAlternative) {
      if (part.type === 'text/plain') html = undefined;
      if (part.type === 'text/html') text = undefined;
    }
    text?.push(part);
    html?.push(part);
    if ((!text || !html) && isMedia(part.type)) attachments.push(part);
  }
  if (multipart !== 'alternative' || !text || !html) return;
  // An alternative with one of the two only serves both.
  if (textBefore === text.length && htmlBefore !== html.length) text.push(...html.slice(htmlBefore));
  if (htmlBefore === html.length && textBefore !== text.length) html.push(...text.slice(textBefore));
}

function isInline(part: Part, index: number, multipart: string): boolean {
  if (part.disposition === 'attachment') return false;
  if (part.type !== 'text/plain' && part.type !== 'text/html' && !isMedia(part.type)) return false;
  // Media in a multipart/related belong to the HTML; a named text that is not the first is a file.
  return index === 0 || (multipart !== 'related' && (isMedia(part.type) || part.name === null));
}
