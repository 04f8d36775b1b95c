// A process that the console looks at: what its last looks told, and whether it answers.
import { z } from 'zod';
import { bearer } from '../common/http/platform-token.ts';
import { ask } from './ask.ts';
import { History } from './history.ts';
import type { RosterEntry } from './roster.ts';
import { readSample } from './sample.ts';
import type { Process } from './targets.ts';

/** Of an app server's answer to GET /load. */
const MAX_USERS = 200;
const loadAnswer = z.object({
  users: z
    .array(
      z.object({ userId: z.string().max(200), requests: z.number(), bytes: z.number(), appends: z.number() }),
    )
    .max(MAX_USERS),
});
export type UserWork = z.infer<typeof loadAnswer>['users'][number];

export class Watched {
  /** Names it over all looks. */
  readonly id: string;
  process: Process;
  /** Where it stands on its ring; undefined for what is no app server. */
  member: RosterEntry | undefined;
  readonly history = new History();
  /** Why it does not answer; undefined while it does. */
  problem: string | undefined;
  users: UserWork[] = [];

  constructor(id: string, process: Process, member: RosterEntry | undefined) {
    this.id = id;
    this.process = process;
    this.member = member;
  }

  /** What is wrong with it, in a sentence without its subject. */
  get trouble(): string | undefined {
    const isLost = this.member?.lostAtMs !== undefined;
    if (this.problem === undefined)
      return isLost ? 'it answers, but it has lost its place on the ring' : undefined;
    return `it does not answer: ${this.problem}${isLost ? ', and it has lost its place on the ring' : ''}`;
  }

  /** Never rejects. @param token of the platform: for who its users are */
  async look(token: string, signal: AbortSignal): Promise<void> {
    const { url } = this.process;
    const users = this.member ? this.#askUsers(url, token, signal) : Promise.resolve([]);
    try {
      const sample = readSample(await ask(`${url}/metrics`, {}, signal));
      this.history.push(performance.now(), sample);
      this.problem = undefined;
    } catch (error) {
      this.history.push(performance.now(), undefined);
      this.problem = error instanceof Error ? error.message : String(error);
    }
    this.users = await users;
  }

  /** One that does not tell has no busy users. */
  async #askUsers(url: string, token: string, signal: AbortSignal): Promise<UserWork[]> {
    try {
      const text = await ask(`${url}/load`, { authorization: bearer(token) }, signal);
      return loadAnswer.parse(JSON.parse(text)).users;
    } catch {
      return [];
    }
  }
}
