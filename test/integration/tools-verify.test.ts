// cellctl user verify and regenerate, on a real platform whose snapshots are damaged by hand.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { readdirSync } from 'node:fs';
import nodemailer from 'nodemailer';
import { cellctlOutput, runCellctl } from '../support/cellctl.ts';
import { startPlatform, type PlatformUnderTest } from '../support/platform.ts';
import { until } from '../support/wait.ts';

const ADDRESS = 'alice@cellpost.test';
/** Each is an entry; a snapshot is due before. */
const MESSAGES = 300;

let platform: PlatformUnderTest;

before(async () => {
  platform = await startPlatform();
  const transport = nodemailer.createTransport({
    host: '127.0.0.1',
    port: platform.smtpPort,
    secure: false,
    pool: true,
    maxConnections: 1,
  });
  for (let n = 0; n < MESSAGES; n++)
    await transport.sendMail({
      from: 'you@example.org',
      to: ADDRESS,
      subject: `Message ${n}`,
      text: `Hello ${n}`,
    });
  transport.close();
});

after(async () => {
  await platform?.[Symbol.asyncDispose]();
});

type Answer = { seq: number; pages: number; digest: string; matches: boolean; snapshotMatches?: boolean };

const env = (): NodeJS.ProcessEnv => ({ CELLPOST_HOME: platform.home });
const verify = (): Promise<Answer> => runCellctl<Answer>(['user', 'verify', ADDRESS], env());

/** Runs SQL in every cell's file. @returns how many rows it changed */
function change(sql: string): number {
  const files = readdirSync(platform.home, { recursive: true })
    .map(String)
    .filter((file) => file.endsWith('.db'));
  let changed = 0;
  for (const file of files) {
    const db = new DatabaseSync(join(platform.home, file));
    const isLog = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'snapshots'").get() !== undefined;
    if (isLog) changed += Number(db.prepare(sql).run().changes);
    db.close();
  }
  return changed;
}

test('a user whose image and snapshot are those of the log is found to be good', async () => {
  await until(async () => (await verify()).snapshotMatches === true, {
    timeoutMs: 20_000,
    what: 'a snapshot',
  });
  const answer = await verify();
  assert.ok(answer.matches);
  assert.ok(answer.seq >= MESSAGES, `${answer.seq} entries`);
  assert.ok(answer.pages > 3);
  assert.match(
    await cellctlOutput(['user', 'verify', ADDRESS], env()),
    /is what the log says, and so is the snapshot/,
  );
});

test('a damaged snapshot is told and made anew, and the state is the same, byte for byte', async () => {
  const { digest } = await verify();
  assert.ok(
    change("UPDATE snapshots SET bytes = CAST(substr(bytes, 1, 40) || x'00' || substr(bytes, 42) AS BLOB)") >
      0,
  );
  const failure = await verify().then(
    () => assert.fail('nothing was found'),
    (error: Error & { code?: number; stdout?: string }) => error,
  );
  assert.equal(failure.code, 1);
  const found = JSON.parse(failure.stdout ?? '{}') as Answer;
  assert.deepEqual([found.matches, found.snapshotMatches], [true, false]);
  const anew = await runCellctl<Answer>(['user', 'regenerate', ADDRESS], env());
  assert.deepEqual([anew.matches, anew.snapshotMatches, anew.digest], [true, true, digest]);
});

test('snapshots and pages that are gone are made anew', async () => {
  const { digest } = await verify();
  change('DELETE FROM pages');
  assert.ok(change('DELETE FROM snapshots') > 0);
  assert.equal((await verify()).snapshotMatches, undefined);
  const anew = await runCellctl<Answer>(['user', 'regenerate', ADDRESS], env());
  assert.deepEqual([anew.matches, anew.snapshotMatches, anew.digest], [true, true, digest]);
});

test('nobody and nonsense are told in a sentence', async () => {
  await assert.rejects(
    cellctlOutput(['user', 'verify', 'nobody@cellpost.test'], env()),
    /Nobody has the address/,
  );
  await assert.rejects(cellctlOutput(['user', 'verify', 'no one'], env()), /neither an address/);
});
