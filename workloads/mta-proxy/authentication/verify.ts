// One message checked: SPF, DKIM, DMARC and ARC by mailauth, within bounds that hold whatever the message says.
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { authenticate, type AuthenticateResult } from 'mailauth';
import type { Authentication } from '../../common/mail-auth/authentication.ts';
import type { Dns } from './dns.ts';
import { headerFields } from './header-fields.ts';
import type { Checked, Question, Source } from './protocol.ts';

/** All lookups of one message, and what is made of them. */
export const MESSAGE_DEADLINE_MS = 10_000;
/** Signatures of one message that are looked at: each may want a hash of the whole body, and a key. */
const MAX_SIGNATURES = 10;
/** ARC sets may be up to 50 (RFC 8617 section 4.2.1), of three fields each. */
const MAX_ARC_FIELDS = 150;
/** A longer header section is not worth its signatures. */
const MAX_HEADER_BYTES = 256 * 1024;
const MAX_FIELDS = 2_000;
/** A longer one of mailauth's is not put into the message. */
const MAX_RESULT_CHARS = 16 * 1024;
/** Domains of signatures that are told. */
const MAX_DKIM_DOMAINS = 10;
/** RFC 6376 section 3.3.3, RFC 8301: shorter keys count for nothing. */
const MIN_KEY_BITS = 1_024;

/** When nothing could be found out: the message is taken as if there were no records. */
const NOT_FOUND_OUT: Authentication = {
  spf: 'temperror',
  dkim: 'temperror',
  dmarc: 'temperror',
  arc: '',
  dkimDomains: [],
  dmarcPolicy: '',
  fromDomain: '',
};

/** Never rejects: what can't be found out is a `temperror`. */
export async function verify(question: Question, hostname: string, dns: Dns): Promise<Checked> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), MESSAGE_DEADLINE_MS);
  });
  try {
    return (await Promise.race([check(question, hostname, dns), late])) ?? notFoundOut(hostname);
  } catch {
    // No message should make the library throw. It is not the sender who shall suffer from it.
    return notFoundOut(hostname);
  } finally {
    clearTimeout(timer);
  }
}

export function notFoundOut(hostname: string): Checked {
  return { header: plainHeader(hostname, NOT_FOUND_OUT), authentication: NOT_FOUND_OUT };
}

async function check({ ip, helo, mailFrom, source }: Question, hostname: string, dns: Dns): Promise<Checked> {
  const beginning = await beginningOf(source);
  const { fields, end } = headerFields(beginning);
  const count = (names: (name: string) => boolean): number => fields.filter(({ name }) => names(name)).length;
  const isExcessive =
    (end === undefined && beginning.length >= MAX_HEADER_BYTES) ||
    fields.length > MAX_FIELDS ||
    count((name) => name === 'dkim-signature') > MAX_SIGNATURES ||
    count((name) => name.startsWith('arc-')) > MAX_ARC_FIELDS;
  const input = isExcessive ? unsigned(beginning) : streamOf(source);
  const found = await authenticate(input, {
    ip: ip.replace(/^::ffff:/, ''),
    helo,
    sender: mailFrom,
    mta: hostname,
    resolver: dns.forMessage(MESSAGE_DEADLINE_MS),
    minBitLength: MIN_KEY_BITS,
    rejectRsaSha1: true,
    disableBimi: true,
  });
  const authentication = summaryOf(found);
  if (isExcessive) authentication.dkim = 'permerror';
  const header = isExcessive ? undefined : resultsField(found.headers);
  return { header: header ?? plainHeader(hostname, authentication), authentication };
}

/** As much as a header section may have. */
async function beginningOf(source: Source): Promise<Uint8Array> {
  if ('bytes' in source) return source.bytes.subarray(0, MAX_HEADER_BYTES);
  await using file = await open(source.path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_HEADER_BYTES), 0, MAX_HEADER_BYTES, 0);
  return buffer.subarray(0, bytesRead);
}

function streamOf(source: Source): Readable {
  return 'bytes' in source ? Readable.from([Buffer.from(source.bytes)]) : createReadStream(source.path);
}

/** The same message as far as DMARC asks, without anything that is signed. */
function unsigned(beginning: Uint8Array): Readable {
  const from = headerFields(beginning)
    .fields.filter(({ name }) => name === 'from')
    .slice(0, 2)
    .map(({ start, end }) => beginning.subarray(start, end));
  return Readable.from([Buffer.concat([...from, Buffer.from('\r\n')])]);
}

function summaryOf({ spf, dkim, dmarc, arc }: AuthenticateResult): Authentication {
  const results = new Set(dkim.results.map(({ status }) => status.result));
  const passing = dkim.results.filter(({ status }) => status.result === 'pass');
  const domains = passing.flatMap(({ signingDomain }) =>
    signingDomain ? [signingDomain.toLowerCase()] : [],
  );
  return {
    spf: spf ? spf.status.result : 'none',
    dkim: BEST_FIRST.find((result) => results.has(result)) ?? 'none',
    dmarc: dmarc ? dmarc.status.result : 'none',
    arc: arc ? arc.status.result : 'none',
    dkimDomains: [...new Set(domains)].slice(0, MAX_DKIM_DOMAINS),
    dmarcPolicy: dmarc && dmarc.status.result !== 'none' ? (dmarc.policy ?? '') : '',
    fromDomain: fromDomainOf(dkim.headerFrom),
  };
}

const BEST_FIRST = ['pass', 'temperror', 'fail', 'policy', 'neutral', 'permerror'] as const;

function fromDomainOf(addresses: readonly string[]): string {
  const [only, ...others] = addresses;
  if (only === undefined || others.length > 0) return '';
  return only.slice(only.lastIndexOf('@') + 1).toLowerCase();
}

/** @returns mailauth's field; undefined when it is not what may stand in a header section as it is */
function resultsField(headers: string): string | undefined {
  const at = headers.search(/^Authentication-Results:/m);
  if (at === -1) return undefined;
  const field = `${headers.slice(at).trimEnd()}\r\n`;
  if (field.length > MAX_RESULT_CHARS) return undefined;
  const [first, ...folded] = field.slice(0, -2).split('\r\n');
  // eslint-disable-next-line no-control-regex -- these are what must not get in
  const isClean = !/[\x00-\x08\n\x0b-\x1f\x7f]/.test([first, ...folded].join(''));
  return isClean && folded.every((line) => /^[ \t]+\S/.test(line)) ? field : undefined;
}

/** The results alone, in words of ours only. */
function plainHeader(hostname: string, { spf, dkim, dmarc, arc }: Authentication): string {
  const results = Object.entries({ spf, dkim, dmarc, arc }).flatMap(([method, result]) =>
    result === '' ? [] : [`${method}=${result}`],
  );
  return `Authentication-Results: ${hostname}; ${results.join('; ')}\r\n`;
}
