// One method call: what it may see of the request around it, and the user that it works on.
import { userKey } from '../../common/keys.ts';
import type { Logger } from '../../common/log.ts';
import { asUser, type Image, type OpenUser, type UserImage } from '../image/model.ts';
import type { Look } from '../log/user-log-types.ts';
import type { Tx } from '../logic/users.ts';
import { MethodError } from './errors.ts';
import type { Principal } from './principal.ts';
import type { Services } from './services.ts';

export class Call {
  readonly services: Services;
  readonly userId: string;
  readonly principal: Principal;
  readonly logger: Logger;
  /** Creation id -> id, over all calls of the request (RFC 8620 section 3.3). */
  readonly createdIds: Map<string, string>;
  /** Did a call of this request change anything? Then the request must not be repeated as a whole. */
  hasWritten = false;

  constructor(
    services: Services,
    userId: string,
    principal: Principal,
    logger: Logger,
    createdIds: Map<string, string>,
  ) {
    this.services = services;
    this.userId = userId;
    this.principal = principal;
    this.logger = logger;
    this.createdIds = createdIds;
  }

  get key(): string {
    return userKey(this.userId);
  }

  /** @throws MethodError accountNotFound: the account of these URLs is the only one that there is */
  assertAccount(accountId: string): void {
    if (accountId !== this.userId) throw accountNotFound();
  }

  /** As UserLogs.read, on the user's image. @throws MethodError accountNotFound; what UserLogs.read throws */
  read<T>(fn: (image: OpenUser, look: Look) => T | Promise<T>): Promise<T> {
    return this.services.logs.read(this.key, (image, _seq, look) => fn(opened(image), look));
  }

  /**
   * As UserLogs.write: resolves when what `change` added is durable, and may call it again before it returned.
   * @throws MethodError accountNotFound; what UserLogs.write throws
   */
  async write<T>(change: (tx: Tx) => T): Promise<T> {
    const { outcome, added } = await this.services.logs.write(this.key, (tx) => {
      const before = lastChange(opened(tx.state));
      const result = change(tx);
      return { outcome: result, added: lastChange(opened(tx.state)) !== before };
    });
    if (added) {
      this.hasWritten = true;
      this.services.loads.note(this.userId, { appends: 1 });
    }
    return outcome;
  }

  /** The id that `#creationId` stands for; other ids stand for themselves. */
  resolveId(id: string): string | undefined {
    return id.startsWith('#') ? this.createdIds.get(id.slice(1)) : id;
  }
}

function opened(image: Image): OpenUser {
  const user = asUser(image);
  if (!user) throw accountNotFound();
  return user;
}

function lastChange(image: UserImage): number {
  return Math.max(
    image.emailsChangedAt,
    image.mailboxesChangedAt,
    image.friendsChangedAt,
    image.privacyChangedAt,
    image.filing.changedAt,
    image.inboxSeenAt,
  );
}

function accountNotFound(): MethodError {
  return new MethodError('accountNotFound', 'There is no such account here.');
}
