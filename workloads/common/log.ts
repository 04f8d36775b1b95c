// Structured logs on standard output, one JSON object a line.
import { pino, type Logger } from 'pino';

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
    redact: { paths: SECRETS, censor: '[secret]' },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
  });
}
