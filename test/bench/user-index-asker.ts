// The process of `npm run bench:user-index` that asks: at a fixed rate, whatever becomes of the questions before. How late
// it was itself is told apart: what it measures is true of the server as far as it was on time.
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { HttpConnection } from './support/http-connection.ts';
import { measured, type Measured } from './support/measure.ts';
import { RedisConnection } from './support/redis.ts';

export type AskerWork = {
  whom: 'index' | 'redis';
  port: number;
  token: string;
  users: number;
  ratePerSecond: number;
  warmMs: number;
  durationMs: number;
};
export type AskerResult = {
  /** From when each question was due to when its answer was read. */
  fromDue: Measured;
  /** From when it was sent. */
  fromSent: Measured;
  /** From when it was due to when it was sent: the asker's own delay. */
  late: Measured;
  /** How often each answer came. */
  answers: Record<string, number>;
};

const CONNECTIONS = { index: 32, redis: 8 };

async function ask(work: AskerWork): Promise<AskerResult> {
  const answers: Record<string, number> = {};
  const anyUser = (): string => String(Math.floor(Math.random() * work.users));
  let turn = 0;
  const connections: { close(): void }[] = [];
  let question: () => Promise<string>;
  if (work.whom === 'index') {
    const https = Array.from(
      { length: CONNECTIONS.index },
      () => new HttpConnection(work.port, bearer(work.token)),
    );
    connections.push(...https);
    question = () =>
      (https[turn++ % https.length] as HttpConnection).get(`/v1/degree?a=u${anyUser()}&b=u${anyUser()}`);
  } else {
    const redis = Array.from({ length: CONNECTIONS.redis }, () => new RedisConnection(work.port));
    connections.push(...redis);
    question = async () => {
      const connection = redis[turn++ % redis.length] as RedisConnection;
      const [a, b] = [anyUser(), anyUser()];
      const [friends, common] = await Promise.all([
        connection.command('SISMEMBER', a, b),
        connection.command('SINTERCARD', '2', a, b, 'LIMIT', '1'),
      ]);
      return friends === 1 ? '1' : common === 1 ? '2' : 'far';
    };
  }
  const round = async (durationMs: number): Promise<AskerResult> => {
    const [fromDue, fromSent, late]: [number[], number[], number[]] = [[], [], []];
    const under = new Set<Promise<void>>();
    const began = performance.now();
    const total = (work.ratePerSecond * durationMs) / 1_000;
    for (let asked = 0; asked < total;) {
      const elapsed = performance.now() - began;
      for (; asked < total && (asked * 1_000) / work.ratePerSecond <= elapsed; asked++) {
        const dueAt = began + (asked * 1_000) / work.ratePerSecond;
        const sentAt = performance.now();
        late.push(sentAt - dueAt);
        const one = question().then((answer) => {
          const now = performance.now();
          fromDue.push(now - dueAt);
          fromSent.push(now - sentAt);
          answers[answer] = (answers[answer] ?? 0) + 1;
          under.delete(one);
        });
        under.add(one);
      }
      // Timers are a millisecond coarse, which would be measured, too.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(under);
    const tookMs = performance.now() - began;
    return {
      fromDue: measured(fromDue, tookMs),
      fromSent: measured(fromSent, tookMs),
      late: measured(late, tookMs),
      answers,
    };
  };
  await round(work.warmMs);
  for (const answer of Object.keys(answers)) delete answers[answer];
  const result = await round(work.durationMs);
  for (const connection of connections) connection.close();
  return result;
}

process.once('message', (work: AskerWork) => {
  void ask(work).then((result) => {
    process.send?.(result);
    process.disconnect();
  });
});
