// Sign-ins, with the time and the app servers' answers in the test's hand.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SignInDesk } from './sign-in.ts';

const basic = (address: string, password: string): string =>
  `Basic ${Buffer.from(`${address}:${password}`).toString('base64')}`;

/** One user, alice with the password "right"; counts the questions to her app server. */
function oneUser() {
  const cells = {
    asked: 0,
    password: 'right',
    resolveAddress: async (address: string) => (address === 'alice@x.test' ? 'u1' : undefined),
    request: async (_key: string, options: { headers?: Record<string, string> }) => {
      cells.asked++;
      const isRight = options.headers?.authorization === basic('alice@x.test', cells.password);
      return { status: isRight ? 200 : 401, headers: {}, body: { dump: async () => {} } };
    },
  };
  return cells;
}

describe('signing in', () => {
  it('asks the app server once, then remembers for a while', async () => {
    const cells = oneUser();
    const desk = new SignInDesk(cells);
    for (let count = 0; count < 5; count++) {
      const signIn = await desk.check(basic('alice@x.test', 'right'), 'c');
      assert.equal(signIn.outcome === 'accepted' && signIn.userId, 'u1');
    }
    assert.equal(cells.asked, 1);
    desk.forget(basic('alice@x.test', 'right'));
    cells.password = 'changed';
    assert.equal((await desk.check(basic('alice@x.test', 'right'), 'c')).outcome, 'refused');
  });

  it('asks again for who wants to know it of lately', async () => {
    const cells = oneUser();
    const desk = new SignInDesk(cells);
    const check = async (atMostMs: number): Promise<string> =>
      (await desk.check(basic('alice@x.test', 'right'), 'c', atMostMs)).outcome;
    assert.equal(await check(60_000), 'accepted');
    assert.equal(await check(60_000), 'accepted');
    assert.equal(cells.asked, 1);
    cells.password = 'changed';
    assert.equal(await check(-1), 'refused');
  });

  it('needs Basic with a colon in it', async () => {
    const desk = new SignInDesk(oneUser());
    for (const header of [undefined, '', 'Basic', 'Basic !!', 'Bearer abc', `Basic ${btoa('alice@x.test')}`])
      assert.equal((await desk.check(header, 'c')).outcome, 'missing');
  });

  it('limits wrong passwords for an address, wherever they come from, and lets the known one in', async () => {
    let now = 0;
    const desk = new SignInDesk(oneUser(), () => now);
    assert.equal((await desk.check(basic('alice@x.test', 'right'), 'home')).outcome, 'accepted');
    const guesses = Array.from({ length: 14 }, (_, index) =>
      desk.check(basic('ALICE@x.test', `guess ${index}`), `client ${index}`),
    );
    const outcomes = (await Promise.all(guesses)).map((one) => one.outcome);
    assert.equal(outcomes.filter((outcome) => outcome === 'refused').length, 10);
    assert.equal(outcomes.filter((outcome) => outcome === 'limited').length, 4);
    assert.equal((await desk.check(basic('alice@x.test', 'right'), 'home')).outcome, 'accepted');
    now += 6_000;
    assert.equal((await desk.check(basic('alice@x.test', 'guess'), 'c')).outcome, 'refused');
    const limited = await desk.check(basic('alice@x.test', 'guess'), 'c');
    assert.ok(limited.outcome === 'limited' && limited.retryAfterMs > 0 && limited.retryAfterMs <= 6_000);
  });

  it('limits a client that tries many addresses', async () => {
    const desk = new SignInDesk(oneUser(), () => 0);
    const guesses = Array.from({ length: 70 }, (_, index) =>
      desk.check(basic(`user${index}@x.test`, 'demo'), 'one client'),
    );
    const outcomes = (await Promise.all(guesses)).map((one) => one.outcome);
    assert.equal(outcomes.filter((outcome) => outcome === 'limited').length, 10);
    assert.equal((await desk.check(basic('other@x.test', 'demo'), 'another')).outcome, 'refused');
  });

  it('refuses an address that nobody has as slowly as a wrong password', async () => {
    const desk = new SignInDesk(oneUser());
    const time = async (address: string): Promise<number> => {
      const start = performance.now();
      assert.equal((await desk.check(basic(address, 'wrong'), 'c')).outcome, 'refused');
      return performance.now() - start;
    };
    // Timers may fire a little early.
    for (const address of ['alice@x.test', 'nobody@x.test', 'no address'])
      assert.ok((await time(address)) > 245);
  });
});
