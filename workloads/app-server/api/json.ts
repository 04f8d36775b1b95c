// I-JSON as JMAP wants it (RFC 8620 section 1.5), with a bound on depth so that nothing behind it can overflow the stack.
import { MAX_JSON_DEPTH } from './limits.ts';
import { RequestError } from './errors.ts';

/** @throws RequestError notJSON */
export function parseJson(body: Uint8Array): unknown {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    throw new RequestError('notJSON', 'The request is not UTF-8.');
  }
  if (depthOf(text) > MAX_JSON_DEPTH)
    throw new RequestError('notJSON', `The request is nested more than ${MAX_JSON_DEPTH} levels deep.`);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new RequestError('notJSON', error instanceof Error ? error.message : 'The request is not JSON.');
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (inString) {
      if (code === BACKSLASH) i++;
      else if (code === QUOTE) inString = false;
    } else if (code === QUOTE) inString = true;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}
