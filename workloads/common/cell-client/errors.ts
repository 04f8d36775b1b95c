// What can stand between a caller and the owner of a key.

/** The key's bucket belongs to no cell: nothing was ever created there, so its user or address is unknown. */
export class Unassigned extends Error {
  override name = 'Unassigned';
  readonly key: string;
  constructor(key: string) {
    super(`${key} is in no cell.`);
    this.key = key;
  }
}

/** The key's cell is out of service by decision. */
export class CellDisabled extends Error {
  override name = 'CellDisabled';
  readonly cell: string;
  constructor(cell: string, state: string) {
    super(`Cell ${cell} is ${state}.`);
    this.cell = cell;
  }
}

/** Not served within the deadline; what was asked for did not happen. */
export class Unavailable extends Error {
  override name = 'Unavailable';
}

/** The request may have reached its owner; whether it took effect is not known. */
export class OutcomeUnknown extends Error {
  override name = 'OutcomeUnknown';
}

/** The address belongs to somebody. */
export class AddressTaken extends Error {
  override name = 'AddressTaken';
  constructor(address: string) {
    super(`The address ${address} is taken.`);
  }
}

/** Discovery or an app server answered with what is not provided for. */
export class UnexpectedAnswer extends Error {
  override name = 'UnexpectedAnswer';
  readonly status: number;
  constructor(what: string, status: number, detail: string) {
    super(`${what} was answered ${status}: ${detail.slice(0, 300)}`);
    this.status = status;
  }
}
