// The commands of cellctl, and what they have in common: with --json errors are JSON, too.
import { Command } from 'commander';
import { backupCommand } from './commands/backup.ts';
import { blobsSweepCommand } from './commands/blobs-sweep.ts';
import { cellCommand } from './commands/cell.ts';
import { explainCommand } from './commands/explain.ts';
import { mapCommand } from './commands/map.ts';
import { nodesCommand } from './commands/nodes.ts';
import { planCommand } from './commands/plan.ts';
import { rebalanceCommand } from './commands/rebalance.ts';
import { restoreCommand } from './commands/restore.ts';
import { topCommand } from './commands/top.ts';
import { userAddCommand } from './commands/user-add.ts';
import { userAliasCommand } from './commands/user-alias.ts';
import { userExportCommand } from './commands/user-export.ts';
import { userImportCommand } from './commands/user-import.ts';
import { userLogCommand } from './commands/user-log.ts';
import { userMoveCommand } from './commands/user-move.ts';
import { userRegenerateCommand, userVerifyCommand } from './commands/user-verify.ts';
import { userRestoreCommand } from './commands/user-restore.ts';
import { userIndexCommand } from './commands/user-index.ts';
import { whereCommand } from './commands/where.ts';

/** The tree of commands. */
export function cellctlProgram(): Command {
  const program = new Command('cellctl')
    .description('Asks and changes a running Cellpost platform')
    // An option after the name of a subcommand is the subcommand's.
    .enablePositionalOptions();
  program.addCommand(nodesCommand());
  program.addCommand(whereCommand());
  program.addCommand(topCommand());
  program.addCommand(mapCommand());
  program.addCommand(cellCommand());
  program.addCommand(planCommand());
  program.addCommand(explainCommand());
  program.addCommand(
    new Command('user')
      .description('users of the platform')
      .addCommand(userAddCommand())
      .addCommand(userAliasCommand())
      .addCommand(userLogCommand())
      .addCommand(userExportCommand())
      .addCommand(userImportCommand())
      .addCommand(userRestoreCommand())
      .addCommand(userVerifyCommand())
      .addCommand(userRegenerateCommand())
      .addCommand(userMoveCommand()),
  );
  program.addCommand(userIndexCommand());
  program.addCommand(
    new Command('blobs').description('large bodies and attachments').addCommand(blobsSweepCommand()),
  );
  program.addCommand(backupCommand());
  program.addCommand(restoreCommand());
  program.addCommand(rebalanceCommand());
  for (const command of allCommands(program)) {
    // What is wrong with the arguments is told as every other error is.
    command
      .exitOverride()
      .configureOutput({ outputError: (text) => printError(text.replace(/^error: /, '').trim()) });
  }
  return program;
}

/** A command and all below it. */
export function* allCommands(command: Command): Generator<Command> {
  yield command;
  for (const child of command.commands) yield* allCommands(child);
}

/** On standard error: a sentence for people, `{"error": sentence}` for programs. */
export function printError(message: string): void {
  const isJson = process.argv.includes('--json');
  process.stderr.write(isJson ? `${JSON.stringify({ error: message })}\n` : `cellctl: ${message}\n`);
}
