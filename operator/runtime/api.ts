// The one file that talks to the Kubernetes API. Bodies go out as they are: the library's typed calls drop fields that
// its model does not know, its Watch swallows errors of its callbacks and stops at the first error, and it makes a new
// connection pool for every request. So only its configuration (kubeconfig, service account, tokens, TLS) is used.
import { setTimeout as sleep } from 'node:timers/promises';
import { HttpMethod } from '@kubernetes/client-node';
import { request, type Dispatcher } from 'undici';
import { ApiError, isConflict } from './api-error.ts';
import type { Connections } from './connections.ts';
import { jsonLines } from './json-lines.ts';
import type { OperatorMetrics } from './metrics.ts';
import { pathOf, typeOf, type KubeObject, type ResourceType } from './resources.ts';

/** Every field that the operator sets belongs to this manager, unless it says otherwise. */
const FIELD_MANAGER = 'cellpost';
/** A request that takes longer has failed; the API server itself gives up after 60 s. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Objects a page of a list: the API server then never builds one huge answer. */
const LIST_PAGE = 500;
/** The API server ends a watch after this time, plus up to as much again, so that watches don't all come back at once. */
const WATCH_SECONDS = 300;
/** A watch answers its headers at once. */
const WATCH_START_TIMEOUT_MS = 10_000;
/** Bookmarks come each minute; a watch that is silent for longer is dead. */
const WATCH_SILENCE_MS = 90_000;
/**
 * An API server that has too much to do says when to come again (429); it has done nothing yet, whatever was asked. The
 * request waits, and whoever asked with it: a reconcile that fails instead would write of a trouble that is none.
 */
const TOO_MANY_REQUESTS = 429;
const MAX_THROTTLED = 5;
const LONGEST_THROTTLE_MS = 10_000;
/** etcd's first revision is that of the empty store: an object that is there has a later one. */
const NEVER_A_VERSION = '1';
const WRITES: ReadonlySet<string> = new Set(['create', 'apply', 'patch', 'update', 'delete']);
type Verb = 'get' | 'list' | 'watch' | 'create' | 'apply' | 'patch' | 'update' | 'delete';
type Call = {
  verb: Verb;
  method: HttpMethod;
  path: string;
  type: ResourceType;
  query?: Record<string, string>;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal;
};
export type WatchEvent<T> = { type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'; object: T };
export type ListAnswer<T> = { items: T[]; resourceVersion: string };
export type ApiOptions = {
  /** Ends every request of this object: what a leader may do ends with its term. */
  signal?: AbortSignal;
  watchSilenceMs?: number;
};
type At = { namespace: string; name: string };

export class KubeApi {
  readonly #connections: Connections;
  readonly #metrics: OperatorMetrics;
  readonly #options: ApiOptions;

  constructor(connections: Connections, metrics: OperatorMetrics, options: ApiOptions = {}) {
    this.#connections = connections;
    this.#metrics = metrics;
    this.#options = options;
  }

  /** The same API, for as long as the signal lasts. */
  until(signal: AbortSignal): KubeApi {
    const signals = this.#options.signal ? [this.#options.signal, signal] : [signal];
    return new KubeApi(this.#connections, this.#metrics, {
      ...this.#options,
      signal: AbortSignal.any(signals),
    });
  }

  /** @returns undefined when there is no such object */
  async get<T extends KubeObject>(type: ResourceType, at: At): Promise<T | undefined> {
    try {
      return await this.#json<T>({ verb: 'get', method: HttpMethod.GET, path: pathOf(type, at), type });
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  /** The same for who may list the type, and needs no other right for this. */
  async find<T extends KubeObject>(type: ResourceType, { namespace, name }: At): Promise<T | undefined> {
    const query = { fieldSelector: `metadata.name=${name}` };
    return (await this.list<T>(type, query, { namespace })).items[0];
  }

  /** All objects of the type, page by page. @throws ApiError 410 when it changed too much meanwhile */
  async list<T extends KubeObject>(
    type: ResourceType,
    query: Record<string, string> = {},
    { namespace, signal }: { namespace?: string; signal?: AbortSignal } = {},
  ): Promise<ListAnswer<T>> {
    const items: T[] = [];
    let next: string | undefined;
    for (;;) {
      const page = await this.#json<{
        items: T[];
        metadata: { resourceVersion: string; continue?: string };
      }>({
        verb: 'list',
        method: HttpMethod.GET,
        path: pathOf(type, { ...(namespace !== undefined && { namespace }) }),
        type,
        query: { ...query, limit: String(LIST_PAGE), ...(next && { continue: next }) },
        ...(signal && { signal }),
      });
      // Items of a list carry no kind of their own.
      for (const item of page.items) {
        item.apiVersion = type.apiVersion;
        item.kind = type.kind;
        items.push(item);
      }
      next = page.metadata.continue;
      if (!next) return { items, resourceVersion: page.metadata.resourceVersion };
    }
  }

  /**
   * Changes after a resource version, until the API server or the signal ends it.
   * @throws ApiError (410: the version is too old), or the connection's error; silence is an error, too
   */
  async *watch<T extends KubeObject>(
    type: ResourceType,
    resourceVersion: string,
    query: Record<string, string>,
    signal: AbortSignal,
  ): AsyncGenerator<WatchEvent<T>> {
    const seconds = Math.round(WATCH_SECONDS * (1 + Math.random()));
    const response = await this.#send({
      verb: 'watch',
      method: HttpMethod.GET,
      path: pathOf(type),
      type,
      query: {
        ...query,
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion,
        timeoutSeconds: String(seconds),
      },
      signal,
    });
    for await (const line of jsonLines(response.body)) {
      const event = line as WatchEvent<T> | { type: 'ERROR'; object: unknown };
      if (event.type === 'ERROR') throw errorOfEvent(event.object);
      yield event;
    }
  }

  create<T extends KubeObject>(object: T): Promise<T> {
    const type = typeOf(object);
    const path = pathOf(type, namespaceOf(object));
    return this.#json({ verb: 'create', method: HttpMethod.POST, path, type, body: object });
  }

  /**
   * Server-side apply: the fields of `object` become so, whoever else set them; others stay. Fields that the same manager
   * has set before and that `object` lacks go.
   */
  apply<T extends KubeObject>(
    object: KubeObject,
    subresource?: 'status',
    fieldManager = FIELD_MANAGER,
  ): Promise<T> {
    const type = typeOf(object);
    const at = { ...namespaceOf(object), name: object.metadata.name, ...(subresource && { subresource }) };
    return this.#json({
      verb: 'apply',
      method: HttpMethod.PATCH,
      path: pathOf(type, at),
      type,
      query: { fieldManager, force: 'true' },
      body: object,
      contentType: 'application/apply-patch+yaml',
    });
  }

  /** What applying would make of an object: checked, with all defaults, and nothing is changed. @throws ApiError as apply() */
  tryApply<T extends KubeObject>(object: KubeObject, fieldManager: string): Promise<T> {
    const type = typeOf(object);
    return this.#json({
      verb: 'apply',
      method: HttpMethod.PATCH,
      path: pathOf(type, { ...namespaceOf(object), name: object.metadata.name }),
      type,
      query: { fieldManager, force: 'true', dryRun: 'All' },
      body: object,
      contentType: 'application/apply-patch+yaml',
    });
  }

  /** The same for an object that is not there yet. @returns undefined, and nothing changes, when one of its name is there */
  async applyNew<T extends KubeObject>(object: T): Promise<T | undefined> {
    try {
      return await this.apply<T>({
        ...object,
        metadata: { ...object.metadata, resourceVersion: NEVER_A_VERSION },
      });
    } catch (error) {
      if (isConflict(error)) return undefined;
      throw error;
    }
  }

  /** JSON merge patch (RFC 7386). With a resourceVersion in the patch it is refused (409) when the object has changed. */
  patch<T extends KubeObject>(type: ResourceType, at: At, patch: unknown): Promise<T> {
    return this.#json({
      verb: 'patch',
      method: HttpMethod.PATCH,
      path: pathOf(type, at),
      type,
      query: { fieldManager: FIELD_MANAGER },
      body: patch,
      contentType: 'application/merge-patch+json',
    });
  }

  /** Replaces an object; its resourceVersion makes it conditional. @throws ApiError 409 when it has changed */
  update<T extends KubeObject>(object: T): Promise<T> {
    const type = typeOf(object);
    const path = pathOf(type, { ...namespaceOf(object), name: object.metadata.name });
    return this.#json({ verb: 'update', method: HttpMethod.PUT, path, type, body: object });
  }

  /**
   * Deletes exactly this object (its uid).
   * @param dependents what becomes of them: they go in the background, or stay as orphans
   * @returns false when it was gone already
   */
  async delete(object: KubeObject, dependents: 'Background' | 'Orphan' = 'Background'): Promise<boolean> {
    const type = typeOf(object);
    try {
      await this.#json({
        verb: 'delete',
        method: HttpMethod.DELETE,
        path: pathOf(type, { ...namespaceOf(object), name: object.metadata.name }),
        type,
        body: {
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          propagationPolicy: dependents,
          ...(object.metadata.uid && { preconditions: { uid: object.metadata.uid } }),
        },
      });
      return true;
    } catch (error) {
      // 409: another object has the name by now, so this one is gone.
      if (error instanceof ApiError && (error.status === 404 || error.status === 409)) return false;
      throw error;
    }
  }

  async #json<T>(call: Call): Promise<T> {
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    const signal = call.signal ? AbortSignal.any([timeout, call.signal]) : timeout;
    const response = await this.#send({ ...call, signal });
    return (await response.body.json()) as T;
  }

  async #send(call: Call): Promise<Dispatcher.ResponseData> {
    const signals = [this.#options.signal, call.signal].filter((one) => one !== undefined);
    const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined;
    for (let times = 1; ; times++) {
      try {
        return await this.#sendOnce(call, signal);
      } catch (error) {
        const throttled = error instanceof ApiError && error.status === TOO_MANY_REQUESTS;
        if (!throttled || error.retryAfterMs === undefined || times > MAX_THROTTLED) throw error;
        // Not all who were told the same at the same time.
        const pauseMs = Math.min(LONGEST_THROTTLE_MS, error.retryAfterMs) * (1 + Math.random() / 4);
        await sleep(pauseMs, undefined, { signal });
      }
    }
  }

  async #sendOnce(call: Call, signal: AbortSignal | undefined): Promise<Dispatcher.ResponseData> {
    signal?.throwIfAborted();
    const { url, headers, dispatcher } = await this.#connections.target(
      call.method,
      call.path,
      call.query ?? {},
    );
    const answered = this.#metrics.apiRequest(call.verb, call.type.plural, WRITES.has(call.verb));
    const response = await request(url, {
      method: call.method,
      headers: {
        ...headers,
        accept: 'application/json',
        ...(call.body !== undefined && { 'content-type': call.contentType ?? 'application/json' }),
      },
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
      ...(signal && { signal }),
      ...(dispatcher && { dispatcher }),
      headersTimeout: call.verb === 'watch' ? WATCH_START_TIMEOUT_MS : REQUEST_TIMEOUT_MS,
      bodyTimeout:
        call.verb === 'watch' ? (this.#options.watchSilenceMs ?? WATCH_SILENCE_MS) : REQUEST_TIMEOUT_MS,
    }).catch((error: unknown) => {
      answered(0);
      if (!signal?.aborted) this.#connections.renew();
      throw error;
    });
    answered(response.statusCode);
    // Who gave up waiting reads no body, and its end by a closed connection is nobody's news then.
    response.body.on('error', () => undefined);
    if (response.statusCode < 300) return response;
    const retryAfter = response.headers['retry-after'];
    throw ApiError.from(
      response.statusCode,
      await response.body.text(),
      Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
    );
  }
}

function namespaceOf(object: KubeObject): { namespace: string } {
  if (!object.metadata.namespace) throw new Error(`${object.kind} ${object.metadata.name} has no namespace.`);
  return { namespace: object.metadata.namespace };
}

function errorOfEvent(object: unknown): ApiError {
  const code =
    typeof object === 'object' && object !== null && 'code' in object && typeof object.code === 'number'
      ? object.code
      : 500;
  return ApiError.from(code, JSON.stringify(object), undefined);
}
