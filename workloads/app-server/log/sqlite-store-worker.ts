// A worker thread of a SQLite log store: SQLite's calls block, and a sync of the disk takes milliseconds that the event
// loop of an app server must not wait for.
import type { DatabaseSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData, type MessagePort } from 'node:worker_threads';
import { openFile, UnusableFile } from './sqlite-store-file.ts';
import {
  isWrite,
  type FromWorker,
  type ReadCall,
  type ToWorker,
  type WorkerSettings,
  type WriteCall,
} from './sqlite-store-protocol.ts';
import { SqliteReader } from './sqlite-store-reader.ts';
import { SqliteWriter } from './sqlite-store-writer.ts';

const port = parentPort;
if (!port) throw new Error('this file is a worker thread of sqlite-store.ts');
const settings: WorkerSettings = workerData;
const writes: WriteCall[] = [];
const reads: ReadCall[] = [];
let closing = false;

const send = (message: FromWorker): void => port.postMessage(message);

function take(message: ToWorker): void {
  if ('close' in message) {
    closing = true;
    return;
  }
  for (const call of message.calls) {
    if (isWrite(call)) writes.push(call);
    else reads.push(call);
  }
}

/** What came while this thread was in SQLite: joins the next group. */
function takeWaiting(port: MessagePort): void {
  for (let next = receiveMessageOnPort(port); next; next = receiveMessageOnPort(port)) take(next.message);
}

function open(): DatabaseSync | undefined {
  try {
    const db = openFile(settings.file, settings.busyDeadlineMs);
    send({ opened: true });
    return db;
  } catch (error) {
    const kind = error instanceof UnusableFile ? 'config' : 'unavailable';
    send({
      opened: false,
      failure: { kind, message: error instanceof Error ? error.message : String(error) },
    });
    return undefined;
  }
}

/** Does some of what waits. @returns false when nothing does */
function workOf(db: DatabaseSync): () => boolean {
  if (settings.role === 'writer') {
    const writer = new SqliteWriter(db, settings.busyDeadlineMs);
    return () => {
      if (writes.length === 0) return false;
      send({ answers: writer.runGroup(writes) });
      return true;
    };
  }
  const reader = new SqliteReader(db, settings.busyDeadlineMs);
  return () => {
    const call = reads.shift();
    if (call) send({ answers: [reader.run(call)] });
    return call !== undefined;
  };
}

const db = open();
if (db) {
  const work = workOf(db);
  port.on('message', (message: ToWorker) => {
    take(message);
    do takeWaiting(port);
    while (work());
    if (!closing) return;
    db.close();
    port.close();
  });
}
