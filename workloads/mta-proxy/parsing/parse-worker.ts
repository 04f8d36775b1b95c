// A parser thread: messages can be made so that parsing takes long, and nobody else's session shall wait for that.
import { createHash, type Hash } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import { encodeMessageBytes } from '../../common/mime/message-wire.ts';
import { MessageParser } from '../../common/mime/parser.ts';
import { NumberMap } from '../../common/number-map.ts';
import type { ParseAnswer, ParseJob } from './parse-protocol.ts';

const port = parentPort;
if (!port) throw new Error('this file is a worker thread of parser-thread.ts');

type Message = { parser: MessageParser; hash: Hash };
const open = new NumberMap<Message>();

function work(job: Exclude<ParseJob, { forget: true }>): ParseAnswer {
  const { id, trace, bytes, end } = job;
  const message = open.take(id) ?? { parser: new MessageParser(), hash: createHash('sha256') };
  if (trace) message.parser.push(trace);
  if (bytes) {
    message.parser.push(bytes);
    message.hash.update(bytes);
  }
  if (!end) {
    open.set(id, message);
    return { id };
  }
  const parsed = message.parser.end();
  return {
    id,
    parsed: {
      // A copy: the encoder's bytes lie in a pool, which would go along.
      message: new Uint8Array(encodeMessageBytes(parsed)),
      sizeBytes: parsed.sizeBytes,
      hasMessageId: (parsed.headers.messageId?.length ?? 0) > 0,
      digest: message.hash.digest(),
    },
  };
}

function answerOf(job: Exclude<ParseJob, { forget: true }>): ParseAnswer {
  try {
    return work(job);
  } catch (error) {
    open.take(job.id);
    return { id: job.id, failure: error instanceof Error ? error.message : String(error) };
  }
}

port.on('message', (job: ParseJob) => {
  if ('forget' in job) {
    open.take(job.id);
    return;
  }
  port.postMessage(answerOf(job));
});
port.postMessage({ ready: true } satisfies ParseAnswer);
