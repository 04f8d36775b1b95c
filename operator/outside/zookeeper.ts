// What a ZooKeeper server says of itself: the four letters `mntr`, a line a value.
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import type { ZooKeeperFacts } from '../cell/roll/facts.ts';

const CLIENT_PORT = 2181;
/** It answers from memory. */
const TIMEOUT_MS = 3_000;

/** @returns undefined when it does not answer, or serves nobody */
export async function askZooKeeper(host: string): Promise<ZooKeeperFacts | undefined> {
  const socket = connect({ host, port: CLIENT_PORT });
  const deadline = setTimeout(() => socket.destroy(new Error('no answer')), TIMEOUT_MS);
  try {
    // The server closes after its answer; half a connection would be closed before it.
    socket.write('mntr');
    return parseMonitor(await text(socket));
  } catch {
    return undefined;
  } finally {
    clearTimeout(deadline);
    socket.destroy();
  }
}

/** @returns undefined for "This ZooKeeper instance is not currently serving requests" */
export function parseMonitor(answer: string): ZooKeeperFacts | undefined {
  const values = new Map(answer.split('\n').map((line) => line.split('\t') as [string, string]));
  const state = values.get('zk_server_state');
  if (state === undefined) return undefined;
  return { state, syncedFollowers: Number(values.get('zk_synced_followers') ?? 0) };
}
