// Events (events.k8s.io/v1) about an object, for people who look at it with kubectl. The same event again within some
// minutes becomes a series: a count on the first one. Events are never worth failing for.
import { createHash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Logger } from '../../workloads/common/log.ts';
import type { KubeApi } from './api.ts';
import { microTime } from './lease.ts';
import { TYPES, type KubeObject } from './resources.ts';

/** How long an event counts repetitions; the API server keeps it for an hour. */
const SERIES_MS = 10 * 60_000;
/** The count is written at most so often. */
const SERIES_WRITE_MS = 30_000;
/** Different events remembered at once. */
const MAX_SERIES = 2_000;
/** The API server's own bound on a note. */
const MAX_NOTE_LENGTH = 1_024;

type EventObject = KubeObject & { series?: { count: number; lastObservedTime: string } };
type Series = { event: Promise<EventObject>; count: number; writtenAt: number };

export class Events {
  readonly #api: KubeApi;
  readonly #instance: string;
  readonly #logger: Logger;
  readonly #series = new LRUCache<string, Series>({ max: MAX_SERIES, ttl: SERIES_MS });

  constructor(options: { api: KubeApi; instance: string; logger: Logger }) {
    this.#api = options.api;
    this.#instance = options.instance;
    this.#logger = options.logger;
  }

  /** @param reason one CamelCase word; @param action what the operator did or wanted, one CamelCase word */
  async record(
    regarding: KubeObject,
    type: 'Normal' | 'Warning',
    reason: string,
    action: string,
    note: string,
  ): Promise<void> {
    const short = note.slice(0, MAX_NOTE_LENGTH);
    const key = createHash('sha256')
      .update(JSON.stringify([regarding.metadata.uid, type, reason, action, short]))
      .digest('base64');
    const known = this.#series.get(key, { updateAgeOnGet: false });
    try {
      if (!known) {
        const event = this.#create(regarding, type, reason, action, short);
        this.#series.set(key, { event, count: 1, writtenAt: performance.now() });
        await event;
        return;
      }
      known.count++;
      if (performance.now() - known.writtenAt < SERIES_WRITE_MS && known.count > 2) return;
      known.writtenAt = performance.now();
      const { metadata } = await known.event;
      await this.#api.patch(
        TYPES.event,
        { namespace: metadata.namespace ?? '', name: metadata.name },
        { series: { count: known.count, lastObservedTime: microTime(new Date()) } },
      );
    } catch (error) {
      this.#series.delete(key);
      this.#logger.debug({ err: error, reason }, 'an event could not be written');
    }
  }

  #create(
    regarding: KubeObject,
    type: string,
    reason: string,
    action: string,
    note: string,
  ): Promise<EventObject> {
    const { name, namespace = 'default', uid, resourceVersion } = regarding.metadata;
    const event = {
      apiVersion: TYPES.event.apiVersion,
      kind: TYPES.event.kind,
      metadata: { name: `${name}.${randomBytes(8).toString('hex')}`, namespace },
      eventTime: microTime(new Date()),
      reportingController: 'cellpost.dev/operator',
      reportingInstance: this.#instance,
      regarding: {
        apiVersion: regarding.apiVersion,
        kind: regarding.kind,
        name,
        namespace,
        uid,
        resourceVersion,
      },
      type,
      reason,
      action,
      note,
    };
    return this.#api.create<EventObject>(event);
  }
}
