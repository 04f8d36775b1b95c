// Configuration comes from the environment; a bad value ends the program with one sentence.
import { readFileSync } from 'node:fs';
import { z } from 'zod';

export type Environment = Record<string, string | undefined>;

/** A mistake of whoever set the program up: its message is all that they should see. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/**
 * Checks an environment against a schema of its variables (`z.object({ CELLPOST_CELL: z.string() })`). A variable
 * `X_FILE` names a file whose trimmed content is taken for X: for secrets.
 * @throws ConfigError naming each bad variable, never its value
 */
export function readEnvironment<T extends z.ZodObject>(schema: T, env: Environment): z.infer<T> {
  const values: Environment = {};
  for (const name of Object.keys(schema.shape)) {
    const file = env[`${name}_FILE`];
    values[name] = file ? readSecret(name, file) : env[name] === '' ? undefined : env[name];
  }
  const parsed = schema.safeParse(values);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
  throw new ConfigError(`Bad configuration: ${problems.join('; ')}`);
}

function readSecret(name: string, file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new ConfigError(
      `${name}_FILE can't be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** A TCP port; 0 means any free one. */
export const port = z.coerce.number().int().min(0).max(65_535);

export const positiveInteger = z.coerce.number().int().positive();

/** What every workload reads. */
export const commonVariables = {
  CELLPOST_HTTP_HOST: z.string().default('127.0.0.1'),
  CELLPOST_LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'silent']).default('info'),
  CELLPOST_VERSION: z.string().default('dev'),
  /** What services show one another; without it nobody is a service. */
  CELLPOST_PLATFORM_TOKEN: z.string().min(16),
};
