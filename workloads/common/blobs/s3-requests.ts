// Signed requests to an S3 service, repeated while the service can't answer. AWS Signature Version 4 by aws4fetch; bodies
// and answers go through undici itself, which streams with a known length (fetch can't).
import { AwsV4Signer } from 'aws4fetch';
import { ExponentialBackoff, handleType, retry } from 'cockatiel';
import { Agent, request, type Dispatcher } from 'undici';
import { BlobStoreUnavailable } from './blob-store.ts';

export type S3Settings = {
  /** `http://host:port` */
  endpoint: string;
  region: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
};

export type S3Call = {
  method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  /** Missing: the bucket itself. */
  key?: string;
  query?: Record<string, string>;
  headers?: Record<string, string>;
  /** Made anew for each attempt. */
  body?: () => Dispatcher.DispatchOptions['body'];
  /** SHA-256 of the body, in hexadecimal: signed, and checked by the service. */
  bodyHash?: string;
};

export type S3Response = Dispatcher.ResponseData;

/** A restarting service is back within this time; callers hold a request of somebody open meanwhile. */
const CALL_DEADLINE_MS = 30_000;
const MAX_ATTEMPTS = 10;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;
const CONNECT_TIMEOUT_MS = 3_000;
/** From the end of the request to the answer's headers, and between two chunks of its body. */
const ANSWER_TIMEOUT_MS = 10_000;
const CONNECTIONS = 64;
const EMPTY_HASH = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/** This attempt failed; the next may not. */
class Transient extends BlobStoreUnavailable {}

export class S3Requests {
  readonly #settings: S3Settings;
  readonly #agent = new Agent({
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: ANSWER_TIMEOUT_MS,
    bodyTimeout: ANSWER_TIMEOUT_MS,
    connections: CONNECTIONS,
  });
  readonly #policy = retry(handleType(Transient), {
    maxAttempts: MAX_ATTEMPTS,
    backoff: new ExponentialBackoff({ initialDelay: FIRST_PAUSE_MS, maxDelay: LONGEST_PAUSE_MS }),
  });
  #closed = false;

  constructor(settings: S3Settings) {
    this.#settings = settings;
  }

  /**
   * @returns any answer below 500 (whose body the caller must read or dump)
   * @throws BlobStoreUnavailable when there is none in time
   */
  async send(call: S3Call): Promise<S3Response> {
    if (this.#closed) throw new BlobStoreUnavailable('the blob store is closed');
    // Ends with the answer's headers: its body may take as long as its reader likes.
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), CALL_DEADLINE_MS);
    try {
      return await this.#policy.execute(() => this.#attempt(call, deadline.signal), deadline.signal);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends when the answers in flight were read. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#agent.close();
  }

  get bucket(): string {
    return this.#settings.bucket;
  }

  async #attempt(call: S3Call, signal: AbortSignal): Promise<S3Response> {
    const { method, key, query, headers = {}, body, bodyHash } = call;
    const { endpoint, bucket, region, accessKeyId, secretAccessKey } = this.#settings;
    const search = query ? `?${new URLSearchParams(query)}` : '';
    const url = `${endpoint}/${bucket}${key === undefined ? '' : `/${key}`}${search}`;
    const signed = await new AwsV4Signer({
      method,
      url,
      headers: { 'x-amz-content-sha256': bodyHash ?? EMPTY_HASH, ...amazonHeaders(headers) },
      service: 's3',
      region,
      accessKeyId,
      secretAccessKey,
    }).sign();
    let response: S3Response;
    try {
      response = await request(url, {
        method,
        headers: { ...Object.fromEntries(signed.headers), ...headers },
        body: body?.() ?? null,
        dispatcher: this.#agent,
        signal,
      });
    } catch (error) {
      throw new Transient(`${new URL(url).host}: ${String(error)}`, { cause: error });
    }
    if (response.statusCode < 500 && response.statusCode !== 429) return response;
    await response.body.dump().catch(() => undefined);
    throw new Transient(`${new URL(url).host} answers ${response.statusCode}`);
  }
}

/** Of the headers, those that have to be signed. */
function amazonHeaders(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('x-amz-')));
}
