import { Command, CommanderError } from 'commander';
import { ExitCode, isLabError } from '../errors.js';
import { packageVersion } from '../native/load.js';
import { applyCommand } from './commands/apply.js';
import { compareCommand } from './commands/compare.js';
import { doctorCommand } from './commands/doctor.js';
import { estimateCommand } from './commands/estimate.js';
import { planCommand } from './commands/plan.js';
import { reportCommand } from './commands/report.js';
import { restoreCommand } from './commands/restore.js';
import { runCommand } from './commands/run.js';
import { runsCommand } from './commands/runs.js';
import { statusCommand } from './commands/status.js';
import { topologyCommand } from './commands/topology.js';
import { verifyCommand } from './commands/verify.js';
import { vmCommand } from './commands/vm.js';
import { print, printError } from './terminal.js';
import { assertTrusted } from './trust.js';

const epilogue = `
Exit codes: 0 done; 1 failed, nothing changed; 2 usage or bad experiment file; 3 a requirement is missing;
4 failed, restored; 5 NOT fully restored (the journal's path is printed); 6 a check said no;
129, 130, 143 interrupted by HUP, INT, TERM and restored.`;

function program(): Command {
  const root = new Command('iaa-zswap')
    .description('Configure, measure and restore Intel IAA and zswap.')
    .version(packageVersion())
    .option(
      '--host <host>',
      'live, root:DIR (a captured tree), root:TRACE (a trace), mock:DIR (a tree that reacts as the kernel does) or model:MACHINE (a modelled machine: model:spr-2s, or a file as model:./mine.yaml)',
      'live',
    )
    .option('--json', 'print JSON')
    .option('--trace <file>', 'write every operation on the host to a file (NDJSON)')
    .option('--redact', 'leave out of the trace what tells the machine or a person')
    .option('--state <directory>', 'where journal, lock and records are kept (live: /var/lib/iaa-zswap)')
    .addHelpText('after', epilogue)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => print(text.trimEnd()),
      writeErr: (text) => printError(text.trimEnd()),
    })
    .exitOverride();
  const commands = [
    topologyCommand(),
    doctorCommand(),
    statusCommand(),
    planCommand(),
    applyCommand(),
    verifyCommand(),
    restoreCommand(),
    runCommand(),
    runsCommand(),
    reportCommand(),
    compareCommand(),
    estimateCommand(),
    vmCommand(),
  ];
  for (const command of commands) adopt(root, command);
  return root;
}

/** Adds a command made elsewhere: Commander hands settings down only to commands that it made itself. */
function adopt(parent: Command, command: Command): void {
  command.copyInheritedSettings(parent);
  for (const child of command.commands) child.copyInheritedSettings(parent);
  parent.addCommand(command);
}

/** Runs the command line; the process's exit code is set, the process not ended, so that output is flushed. */
export async function main(argv: readonly string[]): Promise<void> {
  try {
    assertTrusted();
    await program().parseAsync(argv);
  } catch (error) {
    process.exitCode = exitCodeOf(error);
  }
}

function exitCodeOf(error: unknown): number {
  // Commander has printed its message itself.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage;
  if (isLabError(error)) {
    printError(`iaa-zswap: ${error.message}`);
    if (error.hint !== undefined) printError(`  mend: ${error.hint}`);
    return error.exitCode;
  }
  const message = error instanceof Error ? error.message : String(error);
  printError(`iaa-zswap: internal error: ${message}`);
  if (process.env['IAA_ZSWAP_DEBUG'] !== undefined && error instanceof Error) printError(error.stack ?? '');
  else printError('  mend: please report it; IAA_ZSWAP_DEBUG=1 shows where it happened');
  return ExitCode.failedUnchanged;
}

await main(process.argv);
