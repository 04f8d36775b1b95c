// Messages in mbox files (RFC 4155), in the form that Dovecot and mutt read back: mboxrd quoting, flags in Status and
// X-Status, other keywords in X-Keywords; which of these there are in a file, X-IMAPbase in its first message tells.

export type MboxMessage = {
  /** '' for none. */
  sender: string;
  receivedAtMs: number;
  keywords: readonly string[];
  /** For the first message of a file: what is told of the file. */
  base?: { uidValidity: number; keywords: Iterable<string> } | undefined;
  /** As it was received, with CRLF. */
  bytes: Uint8Array;
};

/** Keywords that have letters of their own. */
const X_STATUS: Record<string, string> = { $answered: 'A', $flagged: 'F', $draft: 'T' };
/** What the message itself says of its status, or where it ends in the file, is not ours to pass on. */
const STATUS_HEADERS =
  /^(?:Status|X-Status|X-Keywords|X-UID|X-IMAPbase|X-IMAP|Content-Length):[^\n]*\n(?:[ \t][^\n]*\n)*/gim;

/** @returns the message as it stands in an mbox file, with the empty line after it */
export function mboxMessage({ sender, receivedAtMs, keywords, base, bytes }: MboxMessage): Buffer {
  // Latin 1: a character a byte, so that any message comes through.
  const text = Buffer.from(bytes).toString('latin1').replaceAll('\r\n', '\n');
  const end = text.startsWith('\n') ? 0 : text.indexOf('\n\n') + 1;
  const headers = end > 0 ? text.slice(0, end) : '';
  const rest = end > 0 ? text.slice(end) : text;
  const whole = `${baseHeader(base)}${statusHeaders(keywords)}${headers.replaceAll(STATUS_HEADERS, '')}${rest}`;
  const quoted = whole.replaceAll(/(^|\n)(>*From )/g, '$1>$2');
  const from = `From ${sender.replaceAll(/[^\x21-\x7E]/g, '') || 'MAILER-DAEMON'} ${asctime(receivedAtMs)}\n`;
  return Buffer.from(`${from}${quoted}${quoted.endsWith('\n') ? '' : '\n'}\n`, 'latin1');
}

/** Keywords without letters are known to Dovecot by being named here; there are no UIDs yet. */
function baseHeader(base: MboxMessage['base']): string {
  if (!base) return '';
  return `X-IMAPbase: ${[base.uidValidity, '0000000000', ...withoutLetters(base.keywords)].join(' ')}\n`;
}

function withoutLetters(keywords: Iterable<string>): string[] {
  return [...keywords].filter((keyword) => keyword !== '$seen' && !(keyword in X_STATUS));
}

function statusHeaders(keywords: readonly string[]): string {
  const letters = keywords.map((keyword) => X_STATUS[keyword] ?? '').join('');
  const others = withoutLetters(keywords);
  return [
    // O: not new to whoever reads the file; R: read.
    `Status: ${keywords.includes('$seen') ? 'RO' : 'O'}\n`,
    letters && `X-Status: ${letters}\n`,
    others.length > 0 ? `X-Keywords: ${others.join(' ')}\n` : '',
  ].join('');
}

/** `Mon Nov 23 09:05:02 2026`, in UTC as RFC 4155 asks. */
function asctime(ms: number): string {
  const [day = '', date = '', month = '', year = '', time = ''] = new Date(ms).toUTCString().split(/,? /);
  return `${day} ${month} ${date.replace(/^0/, ' ')} ${time} ${year}`;
}
