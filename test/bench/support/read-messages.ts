// What the read benchmark and its server say to one another.
export type ToReadServer = { kind: 'memory' } | { kind: 'forget' } | { kind: 'close' };
export type FromReadServer =
  | { kind: 'ready'; url: string }
  | { kind: 'forgotten' }
  | { kind: 'memory'; liveBytes: number; residentBytes: number; open: number };
