// What a state says when a part of it that is asked for lies in the store, not in memory.

/** Reads pages of one key by their ids; undefined for one that the store does not have. */
export type ReadPages = (ids: readonly string[]) => Promise<readonly (Uint8Array | undefined)[]>;

/** A part of a state is not in memory: `load` brings it in, and what was asked is asked again. */
export abstract class PageMissing extends Error {
  override name = 'PageMissing';

  /** @throws PageLost when the store has not what the state needs; StoreUnavailable */
  abstract load(read: ReadPages): Promise<void>;
}

/** A page that a snapshot names is gone or damaged: the state must be made anew from the log. */
export class PageLost extends Error {
  override name = 'PageLost';
}
