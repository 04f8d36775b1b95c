// The process of `npm run bench:user-index` that asks: at a fixed rate, whatever becomes of the questions before. How late
// it was itself is told apart: what it measures is true of the server as far as it was on time.
import { bearer } from '../../workloads/common/http/platform-token.ts';
import { HttpConnection } from './support/http-connection.ts';
import { atRate, type AtRate } from './support/measure.ts';
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
export type AskerResult = AtRate & {
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
  const round = async (durationMs: number): Promise<AskerResult> => ({
    ...(await atRate({ ratePerSecond: work.ratePerSecond, durationMs }, async () => {
      const answer = await question();
      answers[answer] = (answers[answer] ?? 0) + 1;
    })),
    answers,
  });
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
