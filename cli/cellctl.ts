#!/usr/bin/env node
// cellctl: what people ask of a running platform. One file a command, in commands/.
import { CommanderError } from 'commander';
import { ConfigError } from '../workloads/common/config/env.ts';
import { cellctlProgram, printError } from './program.ts';

try {
  await cellctlProgram().parseAsync();
} catch (error) {
  // Told already, or no error: the help was asked for.
  if (error instanceof CommanderError) process.exit(error.exitCode);
  printError(error instanceof Error ? error.message : String(error));
  process.exit(error instanceof ConfigError ? 2 : 1);
}
