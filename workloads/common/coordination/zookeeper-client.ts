// The native client of npm `zookeeper` as far as we use it, loaded when first needed. It is an optional dependency: a
// machine without a C compiler does without it until something asks for ZooKeeper.
import type { EventEmitter } from 'node:events';
import { ConfigError } from '../config/env.ts';

export type NativeStat = {
  czxid: number;
  mzxid: number;
  pzxid: number;
  version: number;
  /** In hexadecimal; '0' for none. */
  ephemeralOwner: string;
};

type Done<T extends unknown[]> = (rc: number, message: string, ...result: T) => void;
type NativeWatcher = (type: number, state: number, path: string) => void;

/** What the module's `native` object offers. Each call returns 0, or an error code: then its callback never comes. */
export type NativeClient = EventEmitter & {
  readonly state: number;
  /** In hexadecimal. */
  readonly client_id: string;
  readonly client_password: string;
  /** What the server granted, in milliseconds. */
  readonly timeout: number;
  init(config: {
    connect: string;
    timeout: number;
    debug_level: number;
    host_order_deterministic: boolean;
    response_counter_limit: number;
    /** Of a session to go on with. */
    client_id?: string;
    client_password?: string;
  }): void;
  close(): void;
  a_create(path: string, data: Buffer, flags: number, done: Done<[path: string]>): number;
  a_get(path: string, watch: boolean, done: Done<[stat: NativeStat | null, data: Buffer | null]>): number;
  aw_get(
    path: string,
    watcher: NativeWatcher,
    done: Done<[stat: NativeStat | null, data: Buffer | null]>,
  ): number;
  aw_exists(path: string, watcher: NativeWatcher, done: Done<[stat: NativeStat | null]>): number;
  a_get_children2(
    path: string,
    watch: boolean,
    done: Done<[names: string[] | null, stat: NativeStat | null]>,
  ): number;
  aw_get_children2(
    path: string,
    watcher: NativeWatcher,
    done: Done<[names: string[] | null, stat: NativeStat | null]>,
  ): number;
  a_set(path: string, data: Buffer, version: number, done: Done<[stat: NativeStat | null]>): number;
  a_delete_(path: string, version: number, done: Done<[]>): number;
};

export type NativeClientClass = new () => NativeClient;

/** @throws ConfigError when the package is not installed or was not built */
export async function loadZooKeeper(): Promise<NativeClientClass> {
  try {
    const module: { default: { ZooKeeper: unknown } } = await import('zookeeper');
    // The class with callbacks, not the one with promises: that one turns every error into a text.
    return module.default.ZooKeeper as NativeClientClass;
  } catch (error) {
    throw new ConfigError(
      `ZooKeeper needs the optional package zookeeper, which is not installed or not built here (npm install needs a C compiler, make and Python for it): ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
    );
  }
}
