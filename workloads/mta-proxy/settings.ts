// What the MTA proxy reads from its environment.
import { hostname } from 'node:os';
import { z } from 'zod';
import { commonVariables, port, positiveInteger } from '../common/config/env.ts';

export const variables = z.object({
  ...commonVariables,
  CELLPOST_HTTP_PORT: port.default(8082),
  CELLPOST_DISCOVERY_URL: z.url(),
  CELLPOST_BLOB_STORE: z.string(),
  CELLPOST_SMTP_HOST: z.string().default('127.0.0.1'),
  CELLPOST_SMTP_PORT: port.default(2525),
  /** None given: no LMTP. */
  CELLPOST_LMTP_PORT: port.optional(),
  /** What the greeting and Received headers call us. */
  CELLPOST_SMTP_HOSTNAME: z.string().default(hostname()),
  CELLPOST_MAX_MESSAGE_BYTES: positiveInteger.default(25 * 1024 * 1024),
  /** A message of up to so many bytes is stored beside its log entry, a larger one in the blob store. */
  CELLPOST_INLINE_BYTES: positiveInteger.max(512 * 1024).default(64 * 1024),
});
