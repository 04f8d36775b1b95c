// What the MTA proxy reads from its environment.
import { hostname } from 'node:os';
import { z } from 'zod';
import { commonVariables, port, positiveInteger } from '../common/config/env.ts';
import { ENFORCEMENTS } from './authentication/enforcement.ts';
import { POLICY_ACTIONS } from './policy/actions.ts';
import { DEFAULT_LIMITS } from './smtp/limits.ts';

/** What is done about mail from outside. */
const mailVariables = {
  /** What is done at most with mail that fails the DMARC policy of its From domain. */
  CELLPOST_DMARC_ENFORCE: z.enum(ENFORCEMENTS).default('junk'),
  /** Name servers to ask, separated by commas; none: the system's. */
  CELLPOST_DNS_SERVERS: z.string().default(''),
  /** Asked about each message from outside; none: nobody is. */
  CELLPOST_POLICY_URL: z.url({ protocol: /^https?$/ }).optional(),
  CELLPOST_POLICY_TIMEOUT_MS: positiveInteger.max(60_000).default(2_000),
  /** The answer when the hook gives none in time. */
  CELLPOST_POLICY_ON_FAILURE: z.enum(POLICY_ACTIONS).default('accept'),
  /** Copies of messages a minute, counted by each process: of a client's address, a domain, a sender; to a user; from a sender to a user. */
  CELLPOST_LIMIT_PER_CLIENT: positiveInteger.optional(),
  CELLPOST_LIMIT_PER_SENDER_DOMAIN: positiveInteger.optional(),
  CELLPOST_LIMIT_PER_SENDER: positiveInteger.optional(),
  CELLPOST_LIMIT_PER_RECIPIENT: positiveInteger.optional(),
  CELLPOST_LIMIT_PER_SENDER_TO_RECIPIENT: positiveInteger.optional(),
  /** Networks whose mail is taken without being checked, separated by commas. */
  CELLPOST_TRUSTED_NETWORKS: z.string().default('127.0.0.0/8,::1'),
};

export const MAIL_VARIABLES = Object.keys(mailVariables);

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
  /** At once, in all and from one address; more are told to come again later. */
  CELLPOST_SMTP_MAX_CONNECTIONS: positiveInteger.default(DEFAULT_LIMITS.maxConnections),
  CELLPOST_SMTP_MAX_CONNECTIONS_PER_ADDRESS: positiveInteger.default(DEFAULT_LIMITS.maxConnectionsPerAddress),
  CELLPOST_MAX_MESSAGE_BYTES: positiveInteger.default(DEFAULT_LIMITS.maxMessageBytes),
  /** A message of up to so many bytes is stored beside its log entry, a larger one in the blob store. */
  CELLPOST_INLINE_BYTES: positiveInteger.max(512 * 1024).default(64 * 1024),
  /** How long parsing one message may take of a thread's time; the client of one that takes longer is told to try later. */
  CELLPOST_PARSE_TIMEOUT_MS: positiveInteger.default(5_000),
  ...mailVariables,
});
