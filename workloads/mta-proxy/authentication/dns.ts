// Names, as mail authentication asks for them: a deadline for each lookup, answers kept for a while, failures too.
import { Resolver } from 'node:dns/promises';
import { LRUCache } from 'lru-cache';
import type { Lookups } from './protocol.ts';

/** Answers and failures that are kept. */
const MAX_KEPT = 20_000;
/** Longer ones are not kept: records of mail are at most some kilobytes. */
const MAX_KEPT_CHARS = 16 * 1024;
/** Node tells no TTL of TXT records. Keys and policies are changed with days of overlap, so minutes do no harm. */
const FOUND_TTL_MS = 300_000;
const MISSING_TTL_MS = 60_000;
/** A name server that is away is not asked again by each message. */
const FAILED_TTL_MS = 5_000;
const LOOKUP_DEADLINE_MS = 3_000;
/** One question, and one more time when nothing is heard. */
const TRIES = 2;
/** Of one message: SPF has bounds of its own (RFC 7208 section 4.6.4), keys of signatures and ARC sets are bounded by this. */
const MAX_LOOKUPS = 100;

type Answer = { records: unknown[] } | { code: string };
/** What mailauth calls: rejects with an error whose `code` is one of c-ares'. */
export type Lookup = (name: string, type: string) => Promise<string[][] | string[]>;

const MISSING = new Set(['ENOTFOUND', 'ENODATA']);

class LookupFailed extends Error {
  override name = 'LookupFailed';
  readonly code: string;
  constructor(code: string, question: string) {
    super(`${question}: ${code}`);
    this.code = code;
  }
}

export class Dns {
  readonly #resolver = new Resolver({ timeout: LOOKUP_DEADLINE_MS / TRIES, tries: TRIES });
  readonly #kept = new LRUCache<string, Answer>({ max: MAX_KEPT });
  readonly #underWay = new Map<string, Promise<Answer>>();
  #lookups: Lookups = { kept: 0, asked: 0 };

  /** @param servers addresses, with ports if need be; none: the system's */
  constructor(servers: readonly string[]) {
    if (servers.length > 0) this.#resolver.setServers([...servers]);
  }

  /** Lookups for one message: bounded in number and, all together, in time. */
  forMessage(deadlineMs: number): Lookup {
    const endsAt = performance.now() + deadlineMs;
    let lookups = 0;
    return async (name, type) => {
      const question = `${type} ${name.toLowerCase()}`;
      if (++lookups > MAX_LOOKUPS || performance.now() >= endsAt)
        throw new LookupFailed('ETIMEOUT', question);
      const answer = await this.#answer(question, name, type);
      if ('code' in answer) throw new LookupFailed(answer.code, question);
      // A copy: whoever asked may sort it.
      return structuredClone(answer.records) as string[][] | string[];
    };
  }

  /** How many lookups there were since this was asked last. */
  takeLookups(): Lookups {
    const lookups = this.#lookups;
    this.#lookups = { kept: 0, asked: 0 };
    return lookups;
  }

  close(): void {
    this.#resolver.cancel();
  }

  /** The same question is asked once at a time. */
  #answer(question: string, name: string, type: string): Promise<Answer> {
    const kept = this.#kept.get(question);
    this.#lookups[kept ? 'kept' : 'asked']++;
    if (kept) return Promise.resolve(kept);
    const running = this.#underWay.get(question) ?? this.#ask(question, name, type);
    this.#underWay.set(question, running);
    return running;
  }

  async #ask(question: string, name: string, type: string): Promise<Answer> {
    const answer = await withDeadline(
      this.#resolver.resolve(name, type).then(
        (records): Answer => ({ records: [records].flat() }),
        (error: unknown): Answer => ({ code: codeOf(error) }),
      ),
    );
    this.#underWay.delete(question);
    const ttl =
      'records' in answer ? FOUND_TTL_MS : MISSING.has(answer.code) ? MISSING_TTL_MS : FAILED_TTL_MS;
    if (question.length + JSON.stringify(answer).length <= MAX_KEPT_CHARS)
      this.#kept.set(question, answer, { ttl });
    return answer;
  }
}

async function withDeadline(asked: Promise<Answer>): Promise<Answer> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Answer>((resolve) => {
    timer = setTimeout(() => resolve({ code: 'ETIMEOUT' }), LOOKUP_DEADLINE_MS);
  });
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'ESERVFAIL';
}
