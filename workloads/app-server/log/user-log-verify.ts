// Is what is served, and what is stored beside the log, what the log says?
import { PageLost } from './page-missing.ts';
import { Replay, type LogParts } from './user-log-open.ts';
import type { Look } from './user-log-types.ts';

export type Verified = {
  /** The newest entry. */
  seq: number;
  /** How many pages the state has. */
  pages: number;
  /** Of the state, byte for byte. */
  digest: string;
  /** Is the state that is served the fold of the log? */
  matches: boolean;
  /** What the snapshot in the store makes of it; undefined when there is none that can be used. */
  snapshotMatches: boolean | undefined;
};

/** Told how far a replay has come. */
export type OnReplay = (seq: number, of: number) => void;

type Parts<S, A> = Pick<LogParts<S, A>, 'store' | 'codec' | 'fold' | 'clock'>;

/** @param served the state of entry `seq` as readers see it @throws StoreUnavailable, UnreadableEntry */
export async function verifyImage<S, A>(
  key: string,
  parts: Parts<S, A>,
  served: { state: S; seq: number },
  look: Look,
  onProgress: OnReplay,
): Promise<Verified> {
  const { snapshots } = parts.fold;
  if (!snapshots) throw new Error('these logs have no snapshots');
  const { seq } = served;
  const whole = new Replay(key, parts);
  await replayTo(whole, seq, onProgress);
  const digest = await look(() => snapshots.digest(whole.image.state));
  const matches = async (state: S): Promise<boolean> => {
    try {
      await snapshots.check(state, look);
      return (await look(() => snapshots.digest(state))) === digest;
    } catch (error) {
      if (error instanceof PageLost) return false;
      throw error;
    }
  };
  const snapshotMatches = async (): Promise<boolean | undefined> => {
    const stored = await parts.store.getSnapshot(key);
    // A newer one came while the log was replayed.
    if (stored?.format !== snapshots.format || stored.seq > seq) return undefined;
    const replay = new Replay(key, parts);
    await replay.fromSnapshot(seq);
    if (!replay.image.saved) return false;
    await replayTo(replay, seq, () => {});
    return await matches(replay.image.state);
  };
  return {
    seq,
    digest,
    pages: await snapshots.check(whole.image.state, look),
    matches: await matches(served.state),
    snapshotMatches: await snapshotMatches(),
  };
}

async function replayTo<S, A>(replay: Replay<S, A>, seq: number, onProgress: OnReplay): Promise<void> {
  while (replay.image.seq < seq) {
    const rows = (await replay.read()).filter((row) => row.seq <= seq);
    if (rows.length === 0) throw new Error(`the log ends before entry ${seq}`);
    await replay.apply(rows);
    onProgress(replay.image.seq, seq);
  }
}
