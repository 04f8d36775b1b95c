// The coordinator's tree of nodes: ZooKeeper's rules of versions and transaction numbers. No sessions, no sockets.
import {
  CoordinationError,
  type Stat,
  type WatchEvent,
} from '../../workloads/common/coordination/coordination.ts';
import type { NodeFile } from './node-file.ts';

/** Far more than an embedded platform has; what keeps a mistaken client from eating the launcher's memory. */
const MAX_NODES = 100_000;
const MAX_TOTAL_BYTES = 256 * 1024 * 1024;
/** Transaction numbers: the epoch above, a counter of 32 bits below, as in ZooKeeper. */
const EPOCH_STEP = 2 ** 32;

type Node = {
  data: Uint8Array;
  czxid: number;
  mzxid: number;
  pzxid: number;
  version: number;
  /** '0': persistent. */
  owner: string;
  children: Set<string>;
};

export class Tree {
  readonly #nodes = new Map<string, Node>();
  readonly #file: NodeFile;
  readonly #emit: (event: WatchEvent) => void;
  #zxid: number;
  #totalBytes = 0;

  /** @param emit is told of each change, in order, before the call that made it returns */
  constructor(file: NodeFile, emit: (event: WatchEvent) => void) {
    this.#file = file;
    this.#emit = emit;
    this.#zxid = file.epoch * EPOCH_STEP;
    // All sessions of the last run are gone with their nodes: any node may have lost children.
    const pzxid = ++this.#zxid;
    this.#nodes.set('/', {
      data: new Uint8Array(),
      czxid: 0,
      mzxid: 0,
      pzxid,
      version: 0,
      owner: '0',
      children: new Set(),
    });
    for (const { path, ...node } of file.load()) {
      this.#nodes.set(path, { ...node, pzxid, owner: '0', children: new Set() });
      this.#nodes.get(parentOf(path))?.children.add(nameOf(path));
      this.#totalBytes += node.data.length;
    }
  }

  /** The number of the last transaction. */
  get zxid(): number {
    return this.#zxid;
  }

  stat(path: string): Stat | undefined {
    const node = this.#nodes.get(path);
    return node && statOf(node);
  }

  get(path: string): { data: Uint8Array; stat: Stat } | undefined {
    const node = this.#nodes.get(path);
    return node && { data: node.data, stat: statOf(node) };
  }

  children(path: string): { names: string[]; stat: Stat } | undefined {
    const node = this.#nodes.get(path);
    return node && { names: [...node.children].sort(), stat: statOf(node) };
  }

  /** @param owner the session of an ephemeral node, '0' for a persistent one */
  create(path: string, data: Uint8Array, owner: string): void {
    if (this.#nodes.has(path)) throw new CoordinationError('node-exists', `${path} exists.`);
    const parentPath = parentOf(path);
    const parent = this.#find(parentPath);
    if (parent.owner !== '0')
      throw new CoordinationError('rejected', `${parentPath} is ephemeral: it can't have children.`);
    if (this.#nodes.size >= MAX_NODES || this.#totalBytes + data.length > MAX_TOTAL_BYTES)
      throw new CoordinationError('rejected', `The coordinator is full: ${this.#nodes.size} nodes.`);
    const zxid = this.#zxid + 1;
    const node: Node = {
      data,
      czxid: zxid,
      mzxid: zxid,
      pzxid: zxid,
      version: 0,
      owner,
      children: new Set(),
    };
    if (owner === '0') this.#store(path, node);
    this.#zxid = zxid;
    this.#nodes.set(path, node);
    this.#totalBytes += data.length;
    parent.children.add(nameOf(path));
    parent.pzxid = zxid;
    this.#emit({ type: 'created', path });
    this.#emit({ type: 'children', path: parentPath });
  }

  set(path: string, data: Uint8Array, expectedVersion: number | undefined): Stat {
    const node = this.#find(path);
    checkVersion(path, node, expectedVersion);
    if (this.#totalBytes + data.length - node.data.length > MAX_TOTAL_BYTES)
      throw new CoordinationError('rejected', `The coordinator is full: ${this.#totalBytes} bytes.`);
    const zxid = this.#zxid + 1;
    const next = { ...node, data, mzxid: zxid, version: node.version + 1 };
    if (node.owner === '0') this.#store(path, next);
    this.#zxid = zxid;
    this.#totalBytes += data.length - node.data.length;
    this.#nodes.set(path, next);
    this.#emit({ type: 'changed', path });
    return statOf(next);
  }

  delete(path: string, expectedVersion: number | undefined): void {
    if (path === '/') throw new CoordinationError('rejected', 'The root can not be deleted.');
    const node = this.#find(path);
    checkVersion(path, node, expectedVersion);
    if (node.children.size > 0) throw new CoordinationError('not-empty', `${path} has children.`);
    if (node.owner === '0') this.#file.remove(path);
    this.#zxid++;
    this.#nodes.delete(path);
    this.#totalBytes -= node.data.length;
    const parentPath = parentOf(path);
    const parent = this.#nodes.get(parentPath);
    if (parent) {
      parent.children.delete(nameOf(path));
      parent.pzxid = this.#zxid;
    }
    this.#emit({ type: 'deleted', path });
    this.#emit({ type: 'children', path: parentPath });
  }

  #find(path: string): Node {
    const node = this.#nodes.get(path);
    if (!node) throw new CoordinationError('no-node', `${path} is not there.`);
    return node;
  }

  #store(path: string, { data, czxid, mzxid, pzxid, version }: Node): void {
    this.#file.put({ path, data, czxid, mzxid, pzxid, version });
  }
}

function checkVersion(path: string, node: Node, expected: number | undefined): void {
  if (expected === undefined || expected === node.version) return;
  throw new CoordinationError('bad-version', `${path} has version ${node.version}, not ${expected}.`);
}

function statOf(node: Node): Stat {
  const { czxid, mzxid, pzxid, version, owner } = node;
  return { czxid, mzxid, pzxid, version, ephemeralOwner: owner };
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/';
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
