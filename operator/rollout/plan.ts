// What a rollout does next: a pure function of its spec, of what is seen of its members and of what its status remembers.
// It may be asked at any moment, also after a crash in the middle: which members have the version, and what they had
// before, is written on the members themselves.
import { called, givenBy } from './given.ts';
import { stateOf, type Member } from './member.ts';
import { stagesOf, type Stage } from './stages.ts';
import type { Failure, Given, Outcome, RolloutSpec, StageStatus } from './types.ts';

export type Observed = { cells: readonly Member[]; platform: Member | undefined };
/** What the status remembers. */
export type Memory = { stages?: readonly StageStatus[] | undefined; failure?: Failure | undefined };

export type Plan = {
  stages: StageStatus[];
  /** The stage that is at work; undefined when nothing is left to do. */
  stage?: string;
  /** Members that get the version now, or the one before when `goesBack`. */
  push: Member[];
  goesBack: boolean;
  /** Why all goes back; decided once, then remembered. */
  failure?: Failure;
  outcome?: Outcome;
  nextAction: string;
  blockedBy: string;
  /** Set when a person must do something. */
  held?: { reason: 'Paused' | 'ChangedByOthers' | 'Failed' | 'Unhealthy' | 'Metrics'; message: string };
  /** When time alone changes the plan. */
  againInMs?: number;
};

export function planRollout(spec: RolloutSpec, observed: Observed, memory: Memory, now: Date): Plan {
  const stages = stagesOf(spec, observed.cells, observed.platform);
  const look = new Look(spec, stages, memory, now);
  if (spec.abort) return { ...look.rest(), outcome: 'Aborted' };
  const troubled = memory.failure ? undefined : look.firstFailure();
  if (troubled !== undefined && spec.gates.onFailure === 'Pause') {
    const held = { reason: 'Failed' as const, message: troubled };
    return { ...look.rest(), nextAction: 'Go on with the rollout', blockedBy: troubled, held };
  }
  const failure =
    memory.failure ?? (troubled === undefined ? undefined : { message: troubled, at: iso(now) });
  const plan = failure ? { ...look.backward(), failure } : look.forward();
  if (!spec.paused || plan.outcome) return plan;
  const held = { reason: 'Paused' as const, message: 'spec.paused is true.' };
  return { ...plan, push: [], blockedBy: held.message, held };
}

/** Times in a status: to the second. */
export const iso = (date: Date): string => date.toISOString().replace(/\.\d+Z$/, 'Z');

/** One look at the fleet. */
class Look {
  readonly #spec: RolloutSpec;
  readonly #given: Given;
  readonly #stages: Stage[];
  readonly #remembered: Map<string, StageStatus>;
  readonly #now: Date;
  /** The earliest moment at which time alone changes something. */
  #againInMs = Infinity;

  constructor(spec: RolloutSpec, stages: Stage[], memory: Memory, now: Date) {
    this.#spec = spec;
    this.#given = givenBy(spec);
    this.#stages = stages;
    this.#remembered = new Map((memory.stages ?? []).map((stage) => [stage.name, stage]));
    this.#now = now;
  }

  /** The first member that has the version and does not bear it, as a sentence. */
  firstFailure(): string | undefined {
    for (const member of this.#members()) {
      const state = this.#state(member);
      if (state !== 'rolling' && state !== 'reached') continue;
      const sentence = this.#failureOf(member, state === 'rolling');
      if (sentence !== undefined) return sentence;
    }
    return this.#failureOfAnswers();
  }

  /** Cells of a stage that have answered badly for too long. */
  #failureOfAnswers(): string | undefined {
    for (const { name, members } of this.#stages) {
      const since = this.#remembered.get(name)?.shutSince;
      const bad = members.find(({ badAnswers }) => badAnswers !== undefined);
      if (bad && since !== undefined && this.#isOver(Date.parse(since), this.#spec.gates.degradedSeconds))
        return this.#answersOf(bad);
    }
    return undefined;
  }

  #badOne(): Member | undefined {
    return this.#members().find(({ badAnswers }) => badAnswers !== undefined);
  }

  #answersOf({ title, badAnswers = '' }: Member): string {
    return `${capital(title)} answers badly at ${called(this.#given)}: ${badAnswers}`;
  }

  #failureOf({ title, trouble, mark }: Member, rolling: boolean): string | undefined {
    const { degradedSeconds, cellDeadlineSeconds } = this.#spec.gates;
    if (trouble) {
      // It may have been so before it got the version; what counts is how long it has been so with it.
      const since = Math.max(Date.parse(trouble.since), mark ? Date.parse(mark.at) : 0);
      if (trouble.final || this.#isOver(since, degradedSeconds))
        return `${capital(title)} is degraded at ${called(this.#given)}: ${trouble.message}`;
    }
    if (rolling && mark && this.#isOver(Date.parse(mark.at), cellDeadlineSeconds))
      return `${capital(title)} did not get to ${called(this.#given)} within ${cellDeadlineSeconds} s.`;
    return undefined;
  }

  forward(): Plan {
    const wanted = called(this.#given);
    const changed = this.#members().find((member) => this.#state(member) === 'changed');
    if (changed) {
      const message = `Somebody else has set ${changed.title} to ${called(this.#oursOf(changed)) || 'nothing of its own'}; set it to ${wanted} again, or abort the rollout.`;
      const held = { reason: 'ChangedByOthers' as const, message };
      return { ...this.rest(), nextAction: `Give ${wanted} to ${changed.title}`, blockedBy: message, held };
    }
    const progress: StageStatus[] = [];
    let open: (Stage & { status: StageStatus }) | undefined;
    const push: Member[] = [];
    for (const stage of this.#stages) {
      const status = open ? this.#statusOf(stage) : this.#bake(stage);
      progress.push(status);
      if (open) continue;
      push.push(...stage.members.filter((member) => this.#state(member) === 'pending'));
      if (!status.bakedAt) open = { ...stage, status };
    }
    const waiting = (open?.members ?? this.#members()).filter((one) => !this.#isGood(one));
    if (!open && waiting.length === 0)
      return { ...this.rest(), stages: progress, outcome: 'Complete', ...this.#again() };
    const { chosen, blockedBy, held } = this.#withinLimits(push);
    const name = open?.name ?? progress.at(-1)?.name ?? '';
    const common = { stages: progress, stage: name, push: chosen, goesBack: false, ...this.#again() };
    const bad = this.#badOne();
    if (bad) {
      const held = { reason: 'Metrics' as const, message: this.#answersOf(bad) };
      return { ...common, push: [], nextAction: `Pass ${name}`, blockedBy: held.message, held };
    }
    if (push.length > 0)
      return {
        ...common,
        nextAction: `Give ${wanted} to ${listOf(chosen.length > 0 ? chosen : push)}`,
        blockedBy,
        ...(held && { held }),
      };
    if (waiting.length > 0)
      return {
        ...common,
        nextAction: `Complete ${name}`,
        blockedBy: `${listOf(waiting)} must run ${wanted} without trouble.`,
      };
    const until = iso(new Date(Date.parse(open?.status.readySince ?? '') + this.#spec.bakeSeconds * 1_000));
    return { ...common, nextAction: `Pass ${name}`, blockedBy: `It bakes until ${until}.` };
  }

  /** Members that may be out of service for a while now. */
  #withinLimits(pending: Member[]): { chosen: Member[]; blockedBy: string; held?: Plan['held'] } {
    // One that gave an earlier version up runs well without it, and may wait for just this one.
    const healthy = pending.filter(({ trouble }) => !trouble || trouble.final);
    const cells = this.#members().filter(({ kind }) => kind === 'cell');
    const away = cells.filter((cell) => !cell.serves || this.#state(cell) === 'rolling');
    let free = this.#spec.maxUnavailableCells - away.length;
    const chosen = healthy.filter(
      (member) => member.kind === 'platform' || away.includes(member) || free-- > 0,
    );
    if (chosen.length > 0 || pending.length === 0) return { chosen, blockedBy: '' };
    const sick = pending.find(({ trouble }) => trouble && !trouble.final);
    if (sick && healthy.length === 0) {
      const message = `${sick.title} is degraded before it gets the version: ${sick.trouble?.message ?? ''}`;
      return { chosen, blockedBy: message, held: { reason: 'Unhealthy', message } };
    }
    const limit = this.#spec.maxUnavailableCells;
    return {
      chosen,
      blockedBy: `At most ${limit} cells may be away at once; ${listOf(away)} is not back yet.`,
    };
  }

  /** The last stage first. Who does not serve goes back at once, all others few at a time. */
  backward(): Plan {
    const stages = this.#stages.map((stage) => this.#statusOf(stage));
    for (const stage of this.#stages.toReversed()) {
      const left = stage.members.filter(
        (member) => member.mark && ['rolling', 'reached'].includes(this.#state(member)),
      );
      const onTheWay = stage.members.filter((member) => this.#isGoingBack(member));
      if (left.length === 0 && onTheWay.length === 0) continue;
      let free = this.#spec.maxUnavailableCells - onTheWay.filter(({ kind }) => kind === 'cell').length;
      const push = left.filter(
        (member) => member.kind === 'platform' || !member.serves || member.trouble || free-- > 0,
      );
      return {
        stages,
        stage: stage.name,
        push,
        goesBack: true,
        nextAction: `Take ${listOf(left.length > 0 ? left : onTheWay)} back`,
        blockedBy: push.length > 0 ? '' : `${listOf(onTheWay)} must run the version before.`,
        ...this.#again(),
      };
    }
    return { ...this.rest(), goesBack: true, outcome: 'RolledBack' };
  }

  /** One that does not come back in time does not keep the others from going back. */
  #isGoingBack(member: Member): boolean {
    if (this.#state(member) !== 'goingBack') return false;
    return !this.#isOver(Date.parse(member.mark?.at ?? ''), this.#spec.gates.cellDeadlineSeconds);
  }

  /** Nothing to do. */
  rest(): Plan {
    const stages = this.#stages.map((stage) => this.#statusOf(stage));
    return { stages, push: [], goesBack: false, nextAction: '', blockedBy: '', ...this.#again() };
  }

  #statusOf(stage: Stage): StageStatus {
    const { readySince, bakedAt, shutSince } = this.#remembered.get(stage.name) ?? {};
    const isBad = stage.members.some(({ badAnswers }) => badAnswers !== undefined);
    return {
      name: stage.name,
      members: stage.members.length,
      reached: stage.members.filter((member) => this.#state(member) === 'reached').length,
      ...(readySince !== undefined && { readySince }),
      ...(bakedAt !== undefined && { bakedAt }),
      ...(isBad && { shutSince: shutSince ?? iso(this.#now) }),
    };
  }

  /** A stage has passed when all its members have had the version, without trouble, for so long. */
  #bake(stage: Stage): StageStatus {
    const { readySince, bakedAt, ...counts } = this.#statusOf(stage);
    if (bakedAt !== undefined) return { ...counts, ...(readySince !== undefined && { readySince }), bakedAt };
    // While the services bake, cells before them are looked at: they are behind the new services.
    const good = stage.members.every((member) => this.#isGood(member)) && !this.#badOne();
    if (!good) return counts;
    const since = readySince ?? iso(this.#now);
    const baked = this.#isOver(Date.parse(since), this.#spec.bakeSeconds);
    return { ...counts, readySince: since, ...(baked && { bakedAt: iso(this.#now) }) };
  }

  #isGood(member: Member): boolean {
    return this.#state(member) === 'reached' && !member.trouble && member.badAnswers === undefined;
  }

  #isOver(sinceMs: number, seconds: number): boolean {
    const leftMs = sinceMs + seconds * 1_000 - this.#now.getTime();
    // Times are kept to the second, so what began now may seem to have begun a moment ago.
    if (leftMs > 0) this.#againInMs = Math.min(this.#againInMs, leftMs);
    return leftMs <= 0;
  }

  #again(): { againInMs?: number } {
    return Number.isFinite(this.#againInMs) ? { againInMs: this.#againInMs } : {};
  }

  /** What a member asks for, of what the rollout gives. */
  #oursOf({ asks }: Member): Given {
    const { version, hbase } = this.#given;
    return {
      ...(version !== undefined && { version: asks.version }),
      ...(hbase !== undefined && { hbase: asks.hbase }),
    };
  }

  #members(): Member[] {
    return this.#stages.flatMap(({ members }) => members);
  }

  #state(member: Member): ReturnType<typeof stateOf> {
    return stateOf(member, this.#given);
  }
}

const capital = (title: string): string => title.slice(0, 1).toUpperCase() + title.slice(1);

/** At most so many in one sentence. */
const MAX_NAMED = 5;

function listOf(members: readonly Member[]): string {
  const named = members.slice(0, MAX_NAMED).map(({ title }) => title);
  const more = members.length - named.length;
  return `${named.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}
