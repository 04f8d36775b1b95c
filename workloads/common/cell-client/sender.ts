// Sends requests to whoever owns a key, and again when that changes: one place with all the policy of retries.
import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { bearer } from '../http/platform-token.ts';
import type {
  CellCallResult,
  HedgeOutcome,
  RetryResult,
  WorkloadMetrics,
} from '../metrics/workload-metrics.ts';
import { followingHeaders } from '../request-id.ts';
import { inSpan } from '../tracing.ts';
import type { Nowhere, Where } from './directory.ts';
import { CellDisabled, OutcomeUnknown, Unassigned, Unavailable } from './errors.ts';
import type { DirectoryFollower } from './follower.ts';
import { AnswerTimes, hedged } from './hedge.ts';
import { NodeConnections } from './node-connections.ts';
import { judgeRefusal, type Verdict, wasNotSent } from './verdict.ts';

const DEADLINE_MS = 30_000;
/** Between two attempts when nothing is heard of a new owner, twice as long each time: it may know a moment after we do. */
const FIRST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 500;
/** One after another without a pause; two servers that disagree must not be asked in circles. */
const MAX_REDIRECTS = 2;
/** Until it is known how long requests to any server of a cell take: some of them read all of its keys. */
const SLOW_MS = 2_000;
/** A refusal is a few hundred bytes. */
const MAX_REFUSAL_BYTES = 64 * 1024;

export type RequestOptions = {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** With the query, if any. */
  path: string;
  /** `authorization` is the platform's token unless given here. */
  headers?: Record<string, string>;
  /** Bytes, or a function that makes the body anew for each attempt. */
  body?: string | Uint8Array | (() => string | Uint8Array | Readable) | undefined;
  /** The owner in this cell is meant, wherever the key is: for moves. */
  cell?: string | undefined;
  /** May it be repeated when it is not known whether it took effect? */
  idempotent: boolean;
  /** Until the headers of the answer; the body may take longer. */
  deadlineMs?: number;
  /** How long the body may be silent; 0: for ever (event streams). */
  bodyTimeoutMs?: number;
  /** Ends the request, its body included. */
  signal?: AbortSignal | undefined;
};

export type CellResponse = {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  /** Must be read to its end, dumped or destroyed. */
  body: Readable & { dump(): Promise<void> };
  json(): Promise<unknown>;
};

/** Also says how many times the request was sent, and which cell answered. */
export type SentResponse = CellResponse & { attempts: number; cell: string };

export type Target = Pick<Where, 'cell' | 'node' | 'url'>;
/** What a node answered, or why the request must be made again. */
export type AttemptResult<T> = { response: T } | { verdict: Verdict; why: string };
/** One try at one node; `ending` ends it. What it throws is judged as an error of the transport. */
export type Attempt<T> = (target: Target, ending: AbortSignal) => Promise<AttemptResult<T>>;

/** What the retries of a request depend on. */
export type Policy = {
  /** What is asked for, in errors. */
  what: string;
  /** May it be repeated when it is not known whether it took effect? */
  idempotent: boolean;
  /** The owner in this cell is meant, wherever the key is. */
  cell?: string | undefined;
  /** Does it change nothing? Then its failure is never in doubt. */
  readOnly?: boolean;
  /** Until the answer. */
  deadlineMs?: number | undefined;
  signal?: AbortSignal | undefined;
};
/** An owner that a server named: it may know a newer ring than we. */
type Hint = { owner: Target; ringVersion: number };
/** Where the map has a key, and which incarnation of its owner that is. */
type Place = Where & { owner: string };
type Turn = {
  key: string;
  policy: Policy;
  place: Place | undefined;
  /** Who was asked; undefined: nobody served the key. */
  target: Target | undefined;
  waitMs: number;
  leftMs: () => number;
};

/** What a sender needs of a follower. */
type Followed = Pick<DirectoryFollower, 'directory' | 'ready' | 'changed' | 'onChange'>;

export class Sender {
  readonly #follower: Followed;
  readonly #token: string;
  readonly #isUnassigned: (key: string) => Promise<boolean>;
  readonly #nodes = new NodeConnections();
  readonly #offChange: () => void;
  readonly #called: ((result: CellCallResult) => void) | undefined;
  readonly #hedged: ((outcome: HedgeOutcome) => void) | undefined;
  readonly #retried: ((result: RetryResult) => void) | undefined;
  /** Requests to a cell go to its app servers in turn. */
  #turn = 0;
  /** By path: how long those take. */
  readonly #times = new Map<string, AnswerTimes>();

  /** @param isUnassigned asks discovery itself: our copy of the map may be a moment old */
  constructor(
    follower: Followed,
    token: string,
    isUnassigned: (key: string) => Promise<boolean>,
    metrics?: WorkloadMetrics,
  ) {
    this.#called = metrics?.cellCalls();
    this.#hedged = metrics?.hedges('app-server');
    this.#retried = metrics?.retries('app-server');
    this.#follower = follower;
    this.#isUnassigned = isUnassigned;
    this.#token = token;
    this.#offChange = follower.onChange(() => this.#dropNodes());
  }

  /**
   * Sends to the owner of a key and returns the answer, whatever its status, except refusals of servers that are not
   * the owner or can't serve: those it gets over within the deadline.
   * @throws Unassigned, CellDisabled at once; Unavailable, OutcomeUnknown; the signal's reason
   */
  async send(key: string, options: RequestOptions): Promise<SentResponse> {
    const request = this.#request(options);
    let cell = '';
    const { response, attempts } = await this.withOwner(key, policyOf(options), (target, ending) => {
      cell = target.cell;
      return request(target, ending);
    });
    return toResponse(response, attempts, cell);
  }

  /**
   * Makes attempts at the owner of a key until one is answered, within the deadline.
   * @throws what send throws
   */
  async withOwner<T>(
    key: string,
    policy: Policy,
    attempt: Attempt<T>,
  ): Promise<{ response: T; attempts: number }> {
    const deadline = performance.now() + (policy.deadlineMs ?? DEADLINE_MS);
    const leftMs = (): number => deadline - performance.now();
    await this.#follower.ready(leftMs(), policy.signal);
    let hint: Hint | undefined;
    let redirects = 0;
    let waitMs = FIRST_WAIT_MS;
    let mayBeDone = false;
    let why = 'nobody serves it';
    for (let attempts = 0; ;) {
      const place = await this.#place(key, policy.cell);
      const target = hint && (!place || hint.ringVersion >= place.ringVersion) ? hint.owner : place;
      hint = undefined;
      if (target) {
        if (attempts++ === 0) this.#nodes.of(target.url).budget.earn();
        else this.#retried?.('made');
        const result = await this.#attempt(target, policy, leftMs(), attempt);
        if ('response' in result) return { response: result.response, attempts };
        const { verdict } = result;
        why = `${target.node}: ${result.why}`;
        if (verdict.kind === 'unknown') {
          if (!policy.idempotent) throw new OutcomeUnknown(`${policy.what}: ${why}`);
          mayBeDone ||= policy.readOnly !== true;
        } else waitMs = Math.max(waitMs, Math.min(verdict.waitMs, LONGEST_WAIT_MS));
        if (redirects < MAX_REDIRECTS) hint = hintOf(verdict, target);
      }
      if (hint) {
        redirects++;
        continue;
      }
      redirects = 0;
      const isPlaced = await this.#awaitTurn({ key, policy, place, target, waitMs, leftMs });
      waitMs = isPlaced ? FIRST_WAIT_MS : Math.min(LONGEST_WAIT_MS, waitMs * 2);
      if (leftMs() > 0) continue;
      const message = `${policy.what} was not answered in time: ${why}`;
      throw mayBeDone ? new OutcomeUnknown(message) : new Unavailable(message);
    }
  }

  /**
   * Sends to any app server of a cell that serves, and to another when that does not answer: for what each of them can do
   * for the whole cell. Such a request must be idempotent. One that reads goes to a second one, too, when the first is slow.
   * @throws Unavailable, OutcomeUnknown; the signal's reason
   */
  async sendToCell(cell: string, options: RequestOptions & { idempotent: true }): Promise<SentResponse> {
    const deadline = performance.now() + (options.deadlineMs ?? DEADLINE_MS);
    const leftMs = (): number => deadline - performance.now();
    await this.#follower.ready(leftMs(), options.signal);
    let why = 'none of its app servers serves';
    for (let attempts = 0; ;) {
      const serving = this.#serving(cell);
      const target = serving[(this.#turn + attempts) % Math.max(1, serving.length)];
      if (target) {
        if (attempts > 0) this.#retried?.('made');
        const { result, tries } = await this.#tryMembers(serving, this.#turn + attempts, options, leftMs());
        attempts += tries;
        if ('response' in result) {
          this.#turn++;
          return toResponse(result.response, attempts, cell);
        }
        why = `${target.node}: ${result.why}`;
      }
      if (leftMs() <= 0) throw new Unavailable(`${options.path} of cell ${cell} was not answered: ${why}`);
      if (!target || attempts % serving.length === 0)
        await this.#follower.changed(Math.min(LONGEST_WAIT_MS, leftMs()), options.signal);
    }
  }

  /** @param first of the members, counted round and round */
  async #tryMembers(
    members: readonly Target[],
    first: number,
    options: RequestOptions,
    leftMs: number,
  ): Promise<{ result: AttemptResult<Dispatcher.ResponseData>; tries: number }> {
    const policy = policyOf(options);
    const path = options.path.split('?')[0] ?? '';
    const times = this.#times.get(path) ?? new AnswerTimes(SLOW_MS);
    this.#times.set(path, times);
    const { budget } = this.#nodes.of(members[first % members.length]?.url ?? '');
    budget.earn();
    let tries = 0;
    const result = await hedged({
      attempt: async (index, ending) => {
        tries++;
        const member = members[(first + index) % members.length] as Target;
        const signal = policy.signal ? AbortSignal.any([policy.signal, ending]) : ending;
        const tried = await this.#attempt(member, { ...policy, signal }, leftMs, this.#request(options));
        // It came together with the one that was faster.
        if (ending.aborted && 'response' in tried) tried.response.body.on('error', () => undefined).destroy();
        return tried;
      },
      isAnswer: (tried) => 'response' in tried,
      times,
      most: policy.readOnly ? Math.min(2, members.length) : 1,
      mayTry: () => budget.take(),
      onHedge: this.#hedged,
    });
    return { result, tries };
  }

  #serving(cell: string): Target[] {
    const members = this.#follower.directory.cell(cell)?.ring?.members ?? [];
    return members
      .filter((member) => member.state === 'serving')
      .map((member) => ({ cell, node: member.name, url: member.url }));
  }

  async close(): Promise<void> {
    this.#offChange();
    await this.#nodes.close();
  }

  /** @returns undefined while nobody serves the key @throws Unassigned, CellDisabled */
  async #place(key: string, cell: string | undefined): Promise<Place | undefined> {
    const where = this.#where(key, cell);
    if (!('problem' in where)) return { ...where, owner: this.#ownerOf(where) };
    if (where.problem === 'unassigned' && (await this.#isUnassigned(key))) throw new Unassigned(key);
    if (where.problem === 'cell-disabled') throw new CellDisabled(where.cell, where.state);
    return undefined;
  }

  #where(key: string, cell: string | undefined): Where | Nowhere {
    const { directory } = this.#follower;
    return cell === undefined ? directory.where(key) : directory.whereIn(cell, key);
  }

  /** A member that was started again is another owner. */
  #ownerOf({ cell, node, url }: Target): string {
    return `${url} ${this.#follower.directory.member(cell, node)?.session}`;
  }

  /**
   * Waits until another try is due: when the map gives the key to another owner, at once and without regard to the retries
   * that the last one cost; otherwise after a while, within the retries that the server which failed may get.
   * @returns true when it has another owner
   */
  async #awaitTurn({ key, policy, place, target, waitMs, leftMs }: Turn): Promise<boolean> {
    const isPlaced = (): boolean => {
      const where = this.#where(key, policy.cell);
      return !('problem' in where) && this.#ownerOf(where) !== place?.owner;
    };
    if (isPlaced()) return true;
    await this.#follower.changed(Math.min(waitMs, leftMs()), policy.signal);
    if (target) {
      let isHeld = false;
      while (leftMs() > 0 && !isPlaced() && !this.#nodes.of(target.url).budget.take()) {
        if (!isHeld) this.#retried?.('held');
        isHeld = true;
        await this.#follower.changed(Math.min(LONGEST_WAIT_MS, leftMs()), policy.signal);
      }
    }
    return isPlaced();
  }

  async #attempt<T>(
    target: Target,
    policy: Policy,
    leftMs: number,
    attempt: Attempt<T>,
  ): Promise<AttemptResult<T>> {
    const ending = new AbortController();
    const timer = setTimeout(() => ending.abort(new Error('no answer in time')), leftMs);
    const off = policy.idempotent
      ? this.#onceGone(target, () => ending.abort(new Error('it left the ring')))
      : undefined;
    try {
      const signal = policy.signal ? AbortSignal.any([policy.signal, ending.signal]) : ending.signal;
      const span = { kind: 'client', attributes: { 'cellpost.node': target.node } } as const;
      const result = await inSpan('call app server', () => attempt(target, signal), span);
      this.#called?.('response' in result ? 'answered' : RESULTS[result.verdict.kind]);
      return result;
    } catch (error) {
      if (policy.signal?.aborted) throw error;
      const why = error instanceof Error ? error.message : String(error);
      const verdict: Verdict = wasNotSent(error) ? { kind: 'later', waitMs: 0 } : { kind: 'unknown' };
      this.#called?.(RESULTS[verdict.kind]);
      return { verdict, why };
    } finally {
      clearTimeout(timer);
      off?.();
    }
  }

  #request(options: RequestOptions): Attempt<Dispatcher.ResponseData> {
    return async (target, signal) => {
      const body = typeof options.body === 'function' ? options.body() : options.body;
      const response = await this.#nodes.of(target.url).pool.request({
        method: options.method,
        path: options.path,
        headers: { authorization: bearer(this.#token), ...followingHeaders(), ...options.headers },
        body: body ?? null,
        signal,
        // The signal is the deadline.
        headersTimeout: 0,
        ...(options.bodyTimeoutMs !== undefined && { bodyTimeout: options.bodyTimeoutMs }),
      });
      const refused = response.statusCode === 421 || response.statusCode === 503;
      return refused ? await readRefusal(response.statusCode, response) : { response };
    };
  }

  /** A node that has left its ring without an answer may be out of reach without anybody saying so. */
  #onceGone({ cell, node }: Target, callback: () => void): () => void {
    const { directory } = this.#follower;
    const session = directory.member(cell, node)?.session;
    return this.#follower.onChange(() => {
      if (session !== undefined && directory.member(cell, node)?.session !== session) callback();
    });
  }

  /** Lets go of nodes that are in no ring any more; what is under way there goes on. */
  #dropNodes(): void {
    const urls: string[] = [];
    for (const cell of this.#follower.directory.cells())
      for (const member of cell.ring?.members ?? []) urls.push(member.url);
    this.#nodes.keep(urls);
  }
}

const RESULTS = { elsewhere: 'redirected', later: 'refused', unknown: 'unknown' } as const;

function policyOf({ method, path, cell, idempotent, deadlineMs, signal }: RequestOptions): Policy {
  const readOnly = method === 'GET' || method === 'HEAD';
  return { what: `${method} ${path}`, cell, idempotent, readOnly, deadlineMs, signal };
}

async function readRefusal(
  status: number,
  response: Dispatcher.ResponseData,
): Promise<{ verdict: Verdict; why: string }> {
  let text = '';
  for await (const chunk of response.body) {
    text += String(chunk);
    if (text.length > MAX_REFUSAL_BYTES) break;
  }
  const retryAfter = response.headers['retry-after'];
  const verdict = judgeRefusal(
    status === 421 ? 421 : 503,
    Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
    text,
  );
  return { verdict, why: `${status} ${text.slice(0, 200)}` };
}

function hintOf(verdict: Verdict, target: Target): Hint | undefined {
  if (verdict.kind !== 'elsewhere' || !verdict.owner || verdict.owner.url === target.url) return undefined;
  const { name, url, ringVersion } = verdict.owner;
  return { owner: { cell: target.cell, node: name, url }, ringVersion };
}

function toResponse(response: Dispatcher.ResponseData, attempts: number, cell: string): SentResponse {
  const { statusCode, headers, body } = response;
  return { status: statusCode, headers, body, attempts, cell, json: () => body.json() };
}
