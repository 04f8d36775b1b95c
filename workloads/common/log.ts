// Structured logs on standard output, one JSON object a line.
import { pino, type Logger } from 'pino';
import { currentRequestId } from './request-id.ts';

export type { Logger } from 'pino';

/** Never logged, wherever they stand in a logged object. */
const SECRETS = [
  'authorization',
  'password',
  'token',
  'cookie',
  '*.authorization',
  '*.password',
  '*.token',
  '*.cookie',
];

export function createLogger(workload: string, level: string, fields: Record<string, string> = {}): Logger {
  return pino({
    level,
    base: { workload, ...fields },
    // What is logged for a request names it, wherever that happens.
    mixin: () => {
      const requestId = currentRequestId();
      return requestId === undefined ? {} : { requestId };
    },
    redact: { paths: SECRETS, censor: '[secret]' },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  });
}
