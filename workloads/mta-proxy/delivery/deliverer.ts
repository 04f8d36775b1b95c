// Delivers a complete message to the owner of each recipient.
import { hash } from 'node:crypto';
import type { Cells } from '../../common/cell-client/cells.ts';
import { CellDisabled, Unassigned } from '../../common/cell-client/errors.ts';
import { NOT_THEIRS } from '../../common/delivery/delivery-wire.ts';
import { normalizeAddress } from '../../common/keys.ts';
import type { Logger } from '../../common/log.ts';
import { inSpan } from '../../common/tracing.ts';
import type { Recipient, Refusal, Transaction } from '../smtp/sink.ts';
import type { OutgoingDelivery } from './delivery-channel.ts';
import type { DeliveryChannels } from './delivery-channels.ts';
import type { CompleteMessage } from './incoming-message.ts';
import type { Ready } from './mail-sink.ts';
import { CELL_DISABLED, LATER, MAILBOX_FULL, NOBODY, NOT_STORABLE, NOT_WANTED } from './refusals.ts';

/** Deliveries of one message at once. */
const MAX_CONCURRENT = 20;
const DEADLINE_MS = 60_000;
/** Of all copies together: a client waits 10 minutes for the answer to its final dot (RFC 5321 section 4.5.3.2.6). */
const MESSAGE_DEADLINE_MS = 300_000;

export type Outcome = 'delivered' | 'duplicate' | 'refused' | 'deferred';
type Verdict = true | Refusal;
/** Also: an address is not the user's. */
type Result = Verdict | typeof NOT_THEIRS;
type Message = { transaction: Transaction; ready: Ready; receivedAt: Date; deadline: number };

export type DelivererOptions = {
  cells: Pick<Cells, 'resolveAddress'>;
  channels: DeliveryChannels;
  logger: Logger;
  /** One copy is done with; it was begun at this moment of `performance.now()`. */
  onDelivery: (outcome: Outcome, startedAt: number) => void;
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
    ready: Ready,
    receivedAt: Date,
  ): Promise<Verdict[]> {
    const deadline = performance.now() + MESSAGE_DEADLINE_MS;
    const message = { transaction, ready, receivedAt, deadline };
    const verdicts = new Map<Recipient<string>, Result>();
    const copies = Map.groupBy(recipients, (recipient) => recipient.known);
    await this.#deliverCopies(message, copies, verdicts);
    const moved = recipients.filter((recipient) => verdicts.get(recipient) === NOT_THEIRS);
    if (moved.length > 0)
      await this.#deliverCopies(message, await this.#findAgain(moved, verdicts), verdicts);
    return recipients.map((recipient) => {
      const result = verdicts.get(recipient) ?? LATER;
      // The address has been given to its user, but the user does not know yet.
      return result === NOT_THEIRS ? LATER : result;
    });
  }

  /** To whom addresses belong now that were another's when they were looked up. */
  async #findAgain(
    moved: readonly Recipient<string>[],
    verdicts: Map<Recipient<string>, Result>,
  ): Promise<Map<string, Recipient<string>[]>> {
    const copies = new Map<string, Recipient<string>[]>();
    for (const recipient of moved) {
      const address = normalizeAddress(recipient.address) ?? '';
      const userId = await this.#options.cells.resolveAddress(address, true).catch(() => recipient.known);
      if (userId === undefined) verdicts.set(recipient, NOBODY);
      else copies.set(userId, [...(copies.get(userId) ?? []), recipient]);
    }
    return copies;
  }

  /** @param copies the recipients of each user's copy */
  async #deliverCopies(
    message: Message,
    copies: ReadonlyMap<string, readonly Recipient<string>[]>,
    verdicts: Map<Recipient<string>, Result>,
  ): Promise<void> {
    const users = [...copies.keys()];
    const worker = async (): Promise<void> => {
      for (let userId = users.pop(); userId !== undefined; userId = users.pop()) {
        const recipients = copies.get(userId) ?? [];
        const deadlineMs = Math.min(DEADLINE_MS, message.deadline - performance.now());
        if (deadlineMs <= 0) return;
        const startedAt = performance.now();
        const { verdict, outcome } = await this.#deliverTo(copyFor(message, userId, recipients), deadlineMs);
        for (const recipient of recipients) verdicts.set(recipient, verdict);
        this.#options.onDelivery(outcome, startedAt);
      }
    };
    await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT, users.length) }, worker));
  }

  async #deliverTo(
    delivery: OutgoingDelivery,
    deadlineMs: number,
  ): Promise<{ verdict: Result; outcome: Outcome }> {
    const { logger, channels } = this.#options;
    const { userId } = delivery;
    try {
      const { status, duplicate, problem } = await inSpan('deliver', () =>
        channels.deliver(delivery, deadlineMs),
      );
      if (status === 200) return { verdict: true, outcome: duplicate ? 'duplicate' : 'delivered' };
      logger.warn({ userId, status, problem }, 'delivery refused');
      if (problem === NOT_THEIRS) return { verdict: NOT_THEIRS, outcome: 'deferred' };
      return refused(refusalOf(problem));
    } catch (error) {
      logger.warn({ userId, err: error }, 'delivery deferred');
      if (error instanceof Unassigned) return refused(NOBODY);
      return refused(error instanceof CellDisabled ? CELL_DISABLED : LATER);
    }
  }
}

const NOTHING = new Uint8Array();

function copyFor(
  { transaction, ready: { complete: message, screened }, receivedAt }: Message,
  userId: string,
  recipients: readonly Recipient<string>[],
): OutgoingDelivery {
  return {
    userId,
    requestId: transaction.id,
    deliveryKey: deliveryKey(transaction, userId, message),
    // To the second, as it stands in the Received header.
    receivedAtMs: Math.floor(receivedAt.getTime() / 1_000) * 1_000,
    mailFrom: transaction.mailFrom,
    rcptTo: recipients.map(({ address }) => address),
    message: message.parsed.message,
    blob: 'blobId' in message.body ? Buffer.from(message.body.blobId, 'hex') : NOTHING,
    bytes: 'bytes' in message.body ? message.body.bytes : NOTHING,
    authentication: screened?.authentication,
    junk: screened?.junk ?? '',
  };
}

/**
 * What makes a delivery the same one: sender, recipient and bytes, if the message has an id of its own. One without is
 * delivered as often as it is sent.
 */
function deliveryKey(transaction: Transaction, userId: string, message: CompleteMessage): string {
  const parts = [Buffer.from(`${transaction.mailFrom}\n${userId}\n`), message.parsed.digest];
  if (!message.parsed.hasMessageId) parts.push(Buffer.from(transaction.id));
  return hash('sha256', Buffer.concat(parts), 'base64url');
}

function refused(refusal: Refusal): { verdict: Refusal; outcome: Outcome } {
  return { verdict: refusal, outcome: refusal.code >= 500 ? 'refused' : 'deferred' };
}

function refusalOf(type: string): Refusal {
  if (type === 'accountNotFound') return NOBODY;
  if (type === 'forbidden') return NOT_WANTED;
  if (type === 'overQuota') return MAILBOX_FULL;
  if (type === 'invalidArguments') return NOT_STORABLE;
  return LATER;
}
