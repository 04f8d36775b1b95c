// What the API works with: opened by main.ts, or by a test.
import type { BlobStore } from '../../common/blobs/blob-store.ts';
import type { Logger } from '../../common/log.ts';
import type { Image } from '../image/model.ts';
import type { Action } from '../log/actions.ts';
import type { MessageReader } from '../image/message-reader.ts';
import type { LogStore } from '../log/log-store.ts';
import type { OwnershipGate } from '../log/user-log-types.ts';
import type { UserLogs } from '../log/user-log.ts';
import type { PasswordVerifier } from '../logic/credentials.ts';
import type { Relations } from '../relations.ts';
import type { BlobIds } from './blob-ids.ts';
import type { ActionReader } from './log-changes.ts';
import type { ApiMetrics } from './metrics.ts';
import type { UserLoads } from './user-load.ts';

export type Logs = UserLogs<Image, Action>;

/** A server's place on the ring, as far as others may ask it to give it up. */
export type Place = {
  /** Hands over all users and keeps none until rejoin(), which comes by itself. @throws LeaseLost when it does not serve */
  drain(): Promise<void>;
  rejoin(): void;
  /** Another server of the ring drains in that session of its. */
  hasLeft(session: string): void;
};

export type Services = {
  logs: Logs;
  /** Beside `logs`, for logs as a whole: what is under way there is not seen. */
  store: LogStore;
  gate: OwnershipGate;
  /** The name of this server's cell. */
  cell: string;
  blobs: BlobStore;
  messages: MessageReader;
  actions: ActionReader;
  passwords: PasswordVerifier;
  blobIds: BlobIds;
  /** Who is a friend; undefined: nobody is asked, and all senders are alike. */
  relations: Relations | undefined;
  metrics: ApiMetrics;
  loads: UserLoads;
  logger: Logger;
  platformToken: string;
  /** What GET /node tells. */
  node: () => Record<string, unknown>;
  /** Absent without a ring. */
  place?: Place | undefined;
};
