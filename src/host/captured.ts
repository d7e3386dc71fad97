import { CommandError, RequirementError } from '../errors.js';
import type { ExecResult, RunningTool, RunningWorkload } from './host.js';
import { type Tree, TreeHost } from './tree-host.js';

/** A machine as it was captured: a directory or a trace. It takes no changes and runs nothing. */
export class CapturedHost extends TreeHost {
  /** `tree` answers every change with EROFS. */
  constructor(name: string, root: string, tree: Tree) {
    super({ name, root, writable: false }, tree);
  }

  override async exec(argv: readonly string[]): Promise<ExecResult> {
    throw new CommandError(argv, `not run: ${this.name} is not a running machine`, {
      hint: 'use --host live on the machine itself',
    });
  }

  override async start(argv: readonly string[]): Promise<RunningTool> {
    throw new CommandError(argv, `not run: ${this.name} is not a running machine`, {
      hint: 'use --host live on the machine itself',
    });
  }

  override launch(): RunningWorkload {
    throw new RequirementError(`no workload can run on ${this.name}: it is not a running machine`, {
      hint: 'use --host live on the machine itself',
    });
  }
}
