// What `npm start` reads from its environment.
import { resolve } from 'node:path';
import { z } from 'zod';
import { MAIL_VARIABLES } from '../workloads/mta-proxy/settings.ts';
import { type Environment, port, positiveInteger, readEnvironment } from '../workloads/common/config/env.ts';

export type Settings = {
  /** The data folder, absolute. */
  home: string;
  smtpPort: number;
  httpPort: number;
  discoveryPort: number;
  logLevel: string;
  sessionTimeoutMs: number;
  /** Named a, b and so on. */
  cells: number;
  /** Of each cell. */
  appServers: number;
  /** What the MTA proxy reads about authentication, policy and limits, as it stands in our own environment. */
  mail: Environment;
  /** How long app servers wait for the user index; their own default unless it is set. */
  userIndexTimeoutMs: string | undefined;
  /** `host:port,…`; undefined: counts are asked from the app servers. */
  memcached: string | undefined;
  consolePort: number;
  /** How often the console looks; undefined: as it likes. */
  consoleIntervalMs: string | undefined;
};

/** More than one machine has a use for. */
export const CELL_NAMES: readonly string[] = Array.from('abcdefgh');
const MAX_APP_SERVERS = 8;

const variables = z.object({
  CELLPOST_HOME: z.string().default('.cellpost'),
  CELLPOST_SMTP_PORT: port.default(2525),
  CELLPOST_HTTP_PORT: port.default(8080),
  CELLPOST_DISCOVERY_PORT: port.default(0),
  CELLPOST_CONSOLE_PORT: port.default(8085),
  CELLPOST_CONSOLE_INTERVAL_MS: z.string().optional(),
  CELLPOST_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  /** How long a dead app server keeps its users: neighbours take over after that. */
  CELLPOST_SESSION_TIMEOUT_MS: positiveInteger.default(1500),
  CELLPOST_USER_INDEX_TIMEOUT_MS: z.string().optional(),
  /** memcached servers for the counts of unread messages, if there are any. */
  CELLPOST_MEMCACHED: z.string().optional(),
  /** One more gets its share of the users by `cellctl rebalance`. */
  CELLPOST_CELLS: positiveInteger.max(CELL_NAMES.length).default(2),
  /** Of each cell: with two the users of one that dies are served by the other; one alone takes in more mail on few cores. */
  CELLPOST_APP_SERVERS: positiveInteger.max(MAX_APP_SERVERS).default(2),
});

/** @throws ConfigError */
export function readSettings(env: Environment): Settings {
  const values = readEnvironment(variables, env);
  return {
    home: resolve(values.CELLPOST_HOME),
    smtpPort: values.CELLPOST_SMTP_PORT,
    httpPort: values.CELLPOST_HTTP_PORT,
    discoveryPort: values.CELLPOST_DISCOVERY_PORT,
    logLevel: values.CELLPOST_LOG_LEVEL,
    sessionTimeoutMs: values.CELLPOST_SESSION_TIMEOUT_MS,
    cells: values.CELLPOST_CELLS,
    appServers: values.CELLPOST_APP_SERVERS,
    mail: Object.fromEntries(MAIL_VARIABLES.map((name) => [name, env[name]])),
    userIndexTimeoutMs: values.CELLPOST_USER_INDEX_TIMEOUT_MS,
    memcached: values.CELLPOST_MEMCACHED,
    consolePort: values.CELLPOST_CONSOLE_PORT,
    consoleIntervalMs: values.CELLPOST_CONSOLE_INTERVAL_MS,
  };
}
