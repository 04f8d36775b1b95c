// What opens the console, beside the platform's token: a key that follows from the token and says nothing of it. It can be printed
// and put into a link: whoever has it sees how the platform fares, and neither who its users are nor anything else.
import { createHmac } from 'node:crypto';

const LABEL = 'cellpost console 1';

export function consoleKey(token: string): string {
  return createHmac('sha256', token).update(LABEL).digest('base64url');
}

/** A link that opens the console by itself. What stands behind # stays in the browser. @param url of the console, without a path */
export const consoleLink = (url: string, token: string): string => `${url}/console#key=${consoleKey(token)}`;
