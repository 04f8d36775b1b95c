// Why discovery can't do what it was asked to.

/** Discovery's own coordination is out of reach: answers go on from memory, changes don't. */
export class CoordinationAway extends Error {
  override name = 'CoordinationAway';
  constructor(problem: string | undefined) {
    super(`Discovery's coordination is out of reach${problem ? `: ${problem}` : ''}.`);
  }
}

/** No cell takes new users. */
export class NoEnabledCell extends Error {
  override name = 'NoEnabledCell';
  constructor() {
    super('No cell is enabled: new users have nowhere to go.');
  }
}

/** A key or bucket is not where the request says, or shall go where it can't. */
export class Misplaced extends Error {
  override name = 'Misplaced';
}

/** A cell to which buckets map can't be forgotten. */
export class CellInUse extends Error {
  override name = 'CellInUse';
  readonly buckets: number;
  constructor(cell: string, buckets: number) {
    super(`${buckets} buckets map to cell ${cell}.`);
    this.buckets = buckets;
  }
}
