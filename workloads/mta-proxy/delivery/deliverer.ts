// Delivers a complete message to the owner of each recipient.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Cells } from '../../common/cell-client/cells.ts';
import { CellDisabled, Unassigned } from '../../common/cell-client/errors.ts';
import { userKey } from '../../common/keys.ts';
import type { Logger } from '../../common/log.ts';
import type { Recipient, Refusal, Transaction } from '../smtp/sink.ts';
import type { CompleteMessage } from './incoming-message.ts';
import { CELL_DISABLED, LATER, MAILBOX_FULL, NOBODY, NOT_STORABLE, TOO_LARGE } from './refusals.ts';

/** Deliveries of one message at once. */
const MAX_CONCURRENT = 20;
const DEADLINE_MS = 60_000;
/** Of all copies together: a client waits 10 minutes for the answer to its final dot (RFC 5321 section 4.5.3.2.6). */
const MESSAGE_DEADLINE_MS = 300_000;

const invocation = z.tuple([z.string(), z.record(z.string(), z.unknown()), z.string()]);
const jmapResponse = z.object({ methodResponses: z.array(invocation).min(1) });

export type Outcome = 'delivered' | 'duplicate' | 'refused' | 'deferred';
type Verdict = true | Refusal;

export type DelivererOptions = {
  cells: Cells;
  logger: Logger;
  onDelivery: (outcome: Outcome, durationMs: number) => void;
};

export class Deliverer {
  readonly #options: DelivererOptions;

  constructor(options: DelivererOptions) {
    this.#options = options;
  }

  /** @returns a verdict a recipient, in their order; a user named twice gets one copy */
  async deliver(
    transaction: Transaction,
    recipients: readonly Recipient<string>[],
    message: CompleteMessage,
    receivedAt: Date,
  ): Promise<Verdict[]> {
    const addresses = Map.groupBy(recipients, (recipient) => recipient.known);
    const users = [...addresses.keys()];
    const verdicts = new Map<string, Verdict>();
    const deadline = performance.now() + MESSAGE_DEADLINE_MS;
    const worker = async (): Promise<void> => {
      for (let userId = users.pop(); userId !== undefined; userId = users.pop()) {
        const deadlineMs = Math.min(DEADLINE_MS, deadline - performance.now());
        if (deadlineMs <= 0) return;
        const rcptTo = (addresses.get(userId) ?? []).map((recipient) => recipient.address);
        const args = {
          accountId: userId,
          deliveryKey: deliveryKey(transaction, userId, message),
          receivedAt: `${receivedAt.toISOString().slice(0, 19)}Z`,
          envelope: { mailFrom: transaction.mailFrom, rcptTo },
          channel: 'email',
          message: message.parsed,
          body: message.body,
        };
        const startedMs = performance.now();
        const { verdict, outcome } = await this.#deliverTo(userId, transaction.id, args, deadlineMs);
        verdicts.set(userId, verdict);
        this.#options.onDelivery(outcome, performance.now() - startedMs);
      }
    };
    await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT, users.length) }, worker));
    return recipients.map((recipient) => verdicts.get(recipient.known) ?? LATER);
  }

  async #deliverTo(
    userId: string,
    requestId: string,
    args: Record<string, unknown>,
    deadlineMs: number,
  ): Promise<{ verdict: Verdict; outcome: Outcome }> {
    const { logger } = this.#options;
    try {
      const [name, result] = await this.#call(userId, requestId, args, deadlineMs);
      if (name === 'Delivery/deliver')
        return { verdict: true, outcome: result.duplicate === true ? 'duplicate' : 'delivered' };
      logger.warn({ requestId, userId, error: result }, 'delivery refused');
      return refused(refusalOf(String(result.type)));
    } catch (error) {
      logger.warn({ requestId, userId, err: error }, 'delivery deferred');
      if (error instanceof Unassigned) return refused(NOBODY);
      return refused(error instanceof CellDisabled ? CELL_DISABLED : LATER);
    }
  }

  async #call(
    userId: string,
    requestId: string,
    args: Record<string, unknown>,
    deadlineMs: number,
  ): Promise<[name: string, result: Record<string, unknown>]> {
    const response = await this.#options.cells.request(userKey(userId), {
      method: 'POST',
      path: `/users/${userId}/jmap/api`,
      headers: { 'content-type': 'application/json', 'x-request-id': requestId },
      body: JSON.stringify({
        using: ['urn:ietf:params:jmap:core', 'urn:cellpost:delivery'],
        methodCalls: [['Delivery/deliver', args, '0']],
      }),
      // The delivery key makes a repeat harmless.
      idempotent: true,
      deadlineMs,
    });
    if (response.status !== 200) {
      await response.body.dump();
      throw new Error(`the app server answered ${response.status}`);
    }
    const [first] = jmapResponse.parse(await response.json()).methodResponses;
    if (!first) throw new Error('the app server answered no call');
    return [first[0], first[1]];
  }
}

/**
 * What makes a delivery the same one: sender, recipient and bytes, if the message has an id of its own. One without is
 * delivered as often as it is sent.
 */
function deliveryKey(transaction: Transaction, userId: string, message: CompleteMessage): string {
  const hash = createHash('sha256').update(transaction.mailFrom).update('\n').update(userId).update('\n');
  hash.update(message.digest);
  if (!message.parsed.headers.messageId) hash.update(transaction.id);
  return hash.digest('base64url');
}

function refused(refusal: Refusal): { verdict: Refusal; outcome: Outcome } {
  return { verdict: refusal, outcome: refusal.code >= 500 ? 'refused' : 'deferred' };
}

function refusalOf(type: string): Refusal {
  if (type === 'accountNotFound') return NOBODY;
  if (type === 'overQuota') return MAILBOX_FULL;
  if (type === 'requestTooLarge' || type === 'tooLarge') return TOO_LARGE;
  if (type === 'invalidArguments') return NOT_STORABLE;
  return LATER;
}
