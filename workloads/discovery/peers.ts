// A replica that starts while its coordination is away takes the map from one that has it.
import { setTimeout as delay } from 'node:timers/promises';
import { request } from 'undici';
import { snapshotMessage, type Snapshot } from '../common/cell-client/directory-messages.ts';
import { bearer } from '../common/http/platform-token.ts';
import type { Logger } from '../common/log.ts';

/** The first line of the stream is the whole state: some megabytes for thousands of cells. */
const DEADLINE_MS = 5_000;
const PAUSE_MS = 500;
/** Ten thousand cells of ten nodes take about twenty million. */
const MAX_SNAPSHOT_CHARS = 64 * 1024 * 1024;

export type PeersOptions = {
  /** Base URLs; one may be a Service before all replicas. */
  urls: readonly string[];
  token: string;
  logger: Logger;
  /** False once this replica has a map. */
  wanted: () => boolean;
  onSnapshot: (snapshot: Snapshot) => void;
};

/** Asks the peers in turn until one answers, or there is a map from elsewhere. @returns what ends it */
export function askPeers(options: PeersOptions): () => void {
  const ending = new AbortController();
  void ask(options, ending.signal);
  return () => ending.abort();
}

async function ask(
  { urls, token, logger, wanted, onSnapshot }: PeersOptions,
  signal: AbortSignal,
): Promise<void> {
  while (urls.length > 0 && wanted() && !signal.aborted) {
    for (const url of urls) {
      try {
        const snapshot = await readSnapshot(url, token, signal);
        if (!wanted() || signal.aborted) return;
        onSnapshot(snapshot);
        logger.info({ peer: url, mapVersion: snapshot.mapVersion }, 'the map comes from a peer');
        return;
      } catch (error) {
        logger.debug({ err: error, peer: url }, 'a peer has no map for us');
      }
    }
    await delay(PAUSE_MS, undefined, { signal }).catch(() => {});
  }
}

/** @throws when the peer does not answer, or not with a state */
async function readSnapshot(url: string, token: string, signal: AbortSignal): Promise<Snapshot> {
  const { statusCode, body } = await request(`${url.replace(/\/+$/, '')}/v1/watch`, {
    headers: { authorization: bearer(token) },
    signal: AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]),
  });
  // The stream goes on for ever; that we end it is no error.
  body.on('error', () => {});
  try {
    if (statusCode !== 200) throw new Error(`answered ${statusCode}`);
    let text = '';
    for await (const chunk of body.setEncoding('utf8')) {
      text += String(chunk);
      const end = text.indexOf('\n');
      if (end >= 0) return snapshotMessage.parse(JSON.parse(text.slice(0, end)));
      if (text.length > MAX_SNAPSHOT_CHARS) throw new Error('answered without end');
    }
    throw new Error('answered nothing');
  } finally {
    body.destroy();
  }
}
