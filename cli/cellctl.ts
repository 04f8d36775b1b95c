#!/usr/bin/env node
// cellctl: what people ask of a running platform. One file a command, in commands/.
import { Command } from 'commander';
import { ConfigError } from '../workloads/common/config/env.ts';
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

try {
  await program.parseAsync();
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`cellctl: ${message}\n`);
  process.exit(error instanceof ConfigError ? 2 : 1);
}
