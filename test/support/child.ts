/** Runs code that uses the addon in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
}

export interface RunningChild {
  readonly process: ChildProcess;
  /** Resolves when the child has printed this. */
  printed(text: string): Promise<void>;
  readonly ended: Promise<Ended>;
}

/** What every such code begins with. */
export const prelude = `
  const { Worker, isMainThread, workerData } = require('node:worker_threads');
  const addon = require(${JSON.stringify(join(packageRoot(), 'build/Release/iaa_zswap.node'))});
`;

/** Starts a Node program given as CommonJS text; `shell` may put a program before it, as `ulimit -f 1; exec`. */
export function startChild(code: string, shell = 'exec', directory = '/'): RunningChild {
  const child = spawn(
    'bash',
    ['-c', `${shell} "$@"`, 'bash', process.execPath, '--expose-gc', '-e', `${prelude}${code}`],
    { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  const waiting = new Set<() => void>();
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      for (const check of waiting) check();
    });
  }
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (exitCode, signal) => resolve({ code: exitCode, signal, output }));
  });
  return {
    process: child,
    ended,
    printed: (text) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (!output.includes(text)) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
        void ended.then(() => reject(new Error(`ended without printing ${text}: ${output}`)));
      }),
  };
}
