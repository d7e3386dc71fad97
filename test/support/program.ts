import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';

export interface ProgramOutcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built program (dist/cli.js) as a person would, without a terminal. */
export function iaaZswap(args: readonly string[], environment: NodeJS.ProcessEnv = {}): ProgramOutcome {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(packageRoot(), 'dist/cli.js'), ...args],
    {
      encoding: 'utf8',
      env: { ...process.env, ...environment },
      timeout: 60_000,
      input: '',
    },
  );
  return { code: status, stdout, stderr };
}
