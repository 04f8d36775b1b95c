// Restores of mailboxes with random histories: what comes out is what was.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { imageFold } from '../image/fold.ts';
import { emailId, indexOf, mailboxId, parseEmailId, seqOf } from '../image/ids.ts';
import type { Image } from '../image/model.ts';
import { messageAdded } from '../image/testing.ts';
import type { Action } from '../log/actions.ts';
import { Contents } from './contents.ts';
import { destroyEmail, updateEmail } from './email-updates.ts';
import { addMailbox, changeMailbox, removalBudget, removeMailbox } from './mailbox-updates.ts';
import { countSteps, planRestore, type RestorePlan } from './restore-plan.ts';
import {
  addReturning,
  changeBack,
  destroyEmails,
  destroyMailboxes,
  restoreMailboxes,
} from './restore-steps.ts';
import { createUser, userOf, type Tx } from './users.ts';

/** A log with its image, and transactions on it. */
class TestLog {
  image: Image = imageFold.empty('user:u1');
  readonly entries: Action[][] = [];

  constructor() {
    const credentials = { salt: Uint8Array.of(1), hash: Uint8Array.of(2), n: 2, r: 1, p: 1 };
    this.write((tx) =>
      createUser(tx, 'a', { userId: 'u1', addresses: ['u1@x.test'], displayName: '' }, credentials),
    );
  }

  get seq(): number {
    return this.entries.length;
  }

  write<T>(fn: (tx: Tx) => T): T {
    const actions: Action[] = [];
    const imageNow = (): Image => this.image;
    const at = { seq: this.seq + 1, timeMs: this.seq };
    let bodies = 0;
    const result = fn({
      get state() {
        return imageNow();
      },
      ...at,
      add: (action) => {
        const place = { ...at, index: actions.length };
        this.image = imageFold.apply(this.image, action, place);
        actions.push(action);
        return place;
      },
      addBody: () => bodies++,
    });
    if (actions.length > 0) this.entries.push(actions);
    return result;
  }

  contents(seq: number): Contents {
    const contents = new Contents();
    for (const [number, actions] of this.entries.slice(0, seq).entries())
      for (const [index, action] of actions.entries()) contents.apply(action, { seq: number + 1, index });
    return contents;
  }

  plan(seq: number, keepNewer: boolean): RestorePlan {
    return planRestore(this.contents(seq), this.contents(this.seq), { seq, keepNewer });
  }

  /** @param stopAfter steps after which it dies */
  restore(seq: number, keepNewer: boolean, stopAfter = Number.POSITIVE_INFINITY): void {
    const plan = this.plan(seq, keepNewer);
    let current: Map<string, string> = new Map();
    const steps = [
      () => (current = this.write((tx) => restoreMailboxes(tx, plan))),
      ...plan.emailsToAdd.map((was) => () => {
        const at = parseEmailId(was.id) ?? 0;
        const added = this.entries[seqOf(at) - 1]?.[indexOf(at)];
        assert.ok(added?.type === 'messageAdded');
        this.write((tx) => addReturning(tx, [{ was, added, bytes: Uint8Array.of(1) }], current));
      }),
      () => this.write((tx) => changeBack(tx, plan.emailsToChange, current)),
      () => this.write((tx) => destroyEmails(tx, plan.emailsToDestroy)),
      () => this.write((tx) => destroyMailboxes(tx, plan.mailboxesToDestroy)),
    ];
    for (const step of steps.slice(0, stopAfter)) step();
  }

  /** What a user sees, by names in place of ids. */
  view(seq = this.seq): { mailboxes: unknown[]; emails: unknown[] } {
    const contents = this.contents(seq);
    const path = (id: string): string => {
      const mailbox = contents.mailboxes.get(id);
      return mailbox ? `${path(mailbox.parentId)}/${mailbox.name}` : '';
    };
    const sorted = (items: unknown[]): unknown[] =>
      items
        .map((item) => JSON.stringify(item))
        .sort()
        .map((item) => JSON.parse(item) as unknown);
    return {
      mailboxes: sorted(
        [...contents.mailboxes.values()].map(({ id, role, sortOrder, isSubscribed }) => ({
          path: path(id),
          role,
          sortOrder,
          isSubscribed,
        })),
      ),
      emails: sorted(
        [...contents.emails.values()].map(({ id, threadId, keywords, mailboxIds }) => ({
          origin: contents.originOf(id),
          threadId,
          keywords: [...keywords].sort(),
          mailboxes: mailboxIds.map(path).sort(),
        })),
      ),
    };
  }
}

type Step = {
  kind: 'deliver' | 'keywords' | 'move' | 'destroy' | 'make' | 'rename' | 'remove';
  a: number;
  b: number;
};

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom('deliver', 'deliver', 'keywords', 'move', 'destroy', 'make', 'rename', 'remove'),
  a: fc.nat(30),
  b: fc.nat(30),
});

/** Does what a user might; what can't be done is not done. */
function act(log: TestLog, { kind, a, b }: Step): void {
  const contents = log.contents(log.seq);
  const pick = <T>(items: Iterable<T>, index: number): T | undefined => {
    const all = [...items];
    return all.length === 0 ? undefined : all[index % all.length];
  };
  const email = pick(contents.emails.keys(), a);
  const mailbox = pick(contents.mailboxes.keys(), b) ?? '';
  log.write((tx) => {
    switch (kind) {
      case 'deliver':
        tx.add(
          messageAdded({
            mailboxIds: [mailbox],
            keywords: a % 2 ? ['$seen'] : [],
            body: { kind: 'inline', index: tx.addBody(Uint8Array.of(a)) },
          }),
        );
        return;
      case 'keywords':
        if (email) updateEmail(tx, email, { [`keywords/k${b % 3}`]: a % 2 ? true : null });
        return;
      case 'move':
        if (email) updateEmail(tx, email, { mailboxIds: { [mailbox]: true } });
        return;
      case 'destroy':
        if (email) destroyEmail(tx, email);
        return;
      case 'make':
        addMailbox(tx, {
          name: `box ${a % 5}`,
          parentId: b % 2 ? mailbox : null,
          role: a % 7 === 0 ? 'important' : null,
        });
        return;
      case 'rename':
        changeMailbox(tx, mailbox, {
          name: `box ${a % 5}`,
          parentId: a % 3 === 0 ? null : undefined,
          isSubscribed: a % 2 === 0,
        });
        return;
      case 'remove':
        removeMailbox(tx, mailbox, true, removalBudget());
    }
  });
}

const history = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 40 }),
  moment: fc.nat(1_000),
  stopAfter: fc.nat(6),
});

function made(steps: readonly Step[]): TestLog {
  const log = new TestLog();
  for (const each of steps) act(log, each);
  return log;
}

test('a mailbox goes back to any moment, also by a restore that died on the way, and forth again', () => {
  fc.assert(
    fc.property(history, ({ steps, moment, stopAfter }) => {
      const log = made(steps);
      const before = log.seq;
      const seq = 1 + (moment % before);
      log.restore(seq, false, stopAfter);
      log.restore(seq, false);
      assert.deepEqual(log.view(), log.view(seq));
      assert.equal(countSteps(log.plan(seq, false)), 0, 'nothing is left to do');
      log.restore(before, false);
      assert.deepEqual(log.view(), log.view(before));
      // And once more: what was restored is known by what it was first.
      log.restore(seq, false);
      assert.deepEqual(log.view(), log.view(seq));
    }),
    { numRuns: 300 },
  );
});

test('mail that came later stays as it is, and so does the place where it lies', () => {
  fc.assert(
    fc.property(history, ({ steps, moment, stopAfter }) => {
      const log = made(steps);
      const seq = 1 + (moment % log.seq);
      const [past, present] = [log.contents(seq), log.contents(log.seq)];
      log.restore(seq, true, stopAfter);
      log.restore(seq, true);
      const after = log.contents(log.seq);
      for (const { id, keywords } of present.emails.values()) {
        if (seqOf(parseEmailId(id) ?? 0) <= seq) continue;
        assert.deepEqual(after.emails.get(id)?.keywords, keywords);
        for (const mailbox of after.emails.get(id)?.mailboxIds ?? [''])
          assert.ok(after.mailboxes.has(mailbox));
      }
      const origins = new Set([...after.emails.keys()].map((id) => after.originOf(id)));
      for (const id of past.emails.keys()) assert.ok(origins.has(past.originOf(id)));
      assert.equal(countSteps(log.plan(seq, true)), 0, 'nothing is left to do');
      // Names are unique among neighbours, roles in all.
      const places = [...after.mailboxes.values()].map(({ parentId, name }) => `${parentId}/${name}`);
      assert.equal(new Set(places).size, places.length);
      const roles = [...after.mailboxes.values()].map(({ role }) => role).filter((role) => role !== '');
      assert.equal(new Set(roles).size, roles.length);
    }),
    { numRuns: 300 },
  );
});

test('what a user does while a restore is under way is not undone by it', () => {
  const log = new TestLog();
  const inbox = mailboxId([...userOf({ ...dummy, state: log.image }).mailboxes.keys()][0] ?? 0);
  const deliver = (): string =>
    log.write((tx) => {
      const at = tx.add(messageAdded({ mailboxIds: [inbox] }));
      return emailId(at.seq * 2 ** 20 + at.index);
    });
  const [kept, changed] = [deliver(), deliver()];
  const seq = log.seq;
  for (const id of [kept, changed]) log.write((tx) => updateEmail(tx, id, { 'keywords/later': true }));
  const plan = log.plan(seq, true);
  const late = deliver();
  log.write((tx) => destroyEmail(tx, changed));
  const current = log.write((tx) => restoreMailboxes(tx, plan));
  log.write((tx) => changeBack(tx, plan.emailsToChange, current));
  const after = log.contents(log.seq);
  assert.deepEqual(after.emails.get(kept)?.keywords, []);
  assert.ok(after.emails.has(late));
  assert.ok(!after.emails.has(changed), 'destroyed meanwhile');
});

const dummy = { seq: 0, timeMs: 0, add: () => ({ seq: 0, index: 0, timeMs: 0 }), addBody: () => 0 };
