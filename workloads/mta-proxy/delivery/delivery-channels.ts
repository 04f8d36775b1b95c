// One delivery channel to each app server that is delivered to.
import type { Cells } from '../../common/cell-client/cells.ts';
import type { Answer } from '../../common/delivery/delivery-wire.ts';
import { userKey } from '../../common/keys.ts';
import { DeliveryChannel, type OutgoingDelivery } from './delivery-channel.ts';

export class DeliveryChannels {
  readonly #cells: Cells;
  readonly #token: string;
  readonly #channels = new Map<string, DeliveryChannel>();

  /** @param token the platform's */
  constructor(cells: Cells, token: string) {
    this.#cells = cells;
    this.#token = token;
  }

  /**
   * Delivers to the owner of the user, wherever it is by now.
   * @throws Unassigned, CellDisabled, Unavailable, OutcomeUnknown
   */
  async deliver(delivery: OutgoingDelivery, deadlineMs: number): Promise<Answer> {
    // The delivery key makes a repeat harmless.
    const policy = { what: `a delivery to ${delivery.userId}`, idempotent: true, deadlineMs };
    const { response } = await this.#cells.withOwner(userKey(delivery.userId), policy, (target, ending) =>
      this.#channel(target.url).send(delivery, ending),
    );
    return response;
  }

  /** Deliveries without an answer on the channel that has most of them. */
  get waiting(): number {
    return Math.max(0, ...Array.from(this.#channels.values(), ({ waiting }) => waiting));
  }

  close(): void {
    for (const channel of this.#channels.values()) channel.destroy();
  }

  #channel(url: string): DeliveryChannel {
    const known = this.#channels.get(url);
    if (known) return known;
    const channel = new DeliveryChannel(new URL(url), this.#token, () => {
      if (this.#channels.get(url) === channel) this.#channels.delete(url);
    });
    this.#channels.set(url, channel);
    return channel;
  }
}
