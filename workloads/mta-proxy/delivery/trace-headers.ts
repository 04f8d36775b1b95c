// What the final delivery system puts on top of a message (RFC 5321 section 4.4).
import type { Transaction } from '../smtp/sink.ts';

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** Return-Path and Received. The client's words were checked at HELO and MAIL: they hold no line breaks. */
export function traceHeaders(transaction: Transaction, hostname: string, at: Date): Buffer {
  const { client, mailFrom, id } = transaction;
  return Buffer.from(
    `Return-Path: <${mailFrom}>\r\n` +
      `Received: from ${client.name} (${addressLiteral(client.address)})\r\n` +
      `\tby ${hostname} with ${client.protocol} id ${id};\r\n` +
      `\t${formatDate(at)}\r\n`,
  );
}

function addressLiteral(address: string): string {
  const bare = address.replace(/^::ffff:/, '');
  return bare.includes(':') ? `[IPv6:${bare}]` : `[${bare}]`;
}

/** RFC 5322 section 3.3, in UTC. */
function formatDate(at: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = `${DAYS[at.getUTCDay()]}, ${at.getUTCDate()} ${MONTHS[at.getUTCMonth()]} ${at.getUTCFullYear()}`;
  return `${day} ${two(at.getUTCHours())}:${two(at.getUTCMinutes())}:${two(at.getUTCSeconds())} +0000`;
}
