/** Programs on the machine we run on, which we may be root of. */
import { spawn } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { CommandError, WorkloadError } from '../errors.js';
import { helperPath } from '../native/load.js';
import type { NativeFailure } from '../native/surface.js';
import type {
  ExecOptions,
  ExecResult,
  RunningTool,
  RunningWorkload,
  WorkloadExit,
  WorkloadSpec,
} from './host.js';
import type { HostPath } from './path.js';

// Where distributions put system programs. Never the caller's PATH: we run as root.
const programFolders = ['/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The environment of every program we start; LC_ALL, because the text of some is read. */
const environment = { PATH: programFolders.join(':'), LC_ALL: 'C' };

/** Characters of one stream. The longest output we read is dmesg's, of a buffer that is rarely above 1 MiB. */
const maxOutputLength = 8 * 1024 * 1024;

/** Host.exec on the machine itself. */
export async function runProgram(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const [name, ...parameters] = argv;
  if (name === undefined) throw new CommandError(argv, 'no program named');
  const program = await findProgram(argv, name);
  const timeLimitMs = options.timeLimitMs ?? 60_000;
  const { execa } = await import('execa');
  const result = await execa(program, parameters, {
    cwd: '/',
    env: environment,
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    stripFinalNewline: false,
    timeout: timeLimitMs,
    killSignal: 'SIGKILL',
    maxBuffer: maxOutputLength,
  });
  if (result.exitCode !== undefined && !result.timedOut && !result.isMaxBuffer) {
    return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
  }
  const why = result.timedOut
    ? `took longer than ${timeLimitMs} ms`
    : result.isMaxBuffer
      ? `wrote more than ${maxOutputLength} characters`
      : result.signal !== undefined
        ? `ended by ${result.signal}`
        : `could not be run: ${result.code ?? 'unknown reason'}`;
  throw new CommandError(argv, why, { cause: result });
}

/** How long a tool may take to write its last lines after SIGINT (ms). */
const toolEndMs = 10_000;

/** Host.start on the machine itself. */
export async function startTool(argv: readonly string[], outputFile: string): Promise<RunningTool> {
  const [name, ...parameters] = argv;
  if (name === undefined) throw new CommandError(argv, 'no program named');
  const program = await findProgram(argv, name);
  const output = createOutput(outputFile);
  try {
    const child = spawn(program, parameters, {
      cwd: '/',
      env: environment,
      stdio: ['ignore', output, output],
      // A Ctrl-C at the terminal is for us alone: the tool is stopped when its numbers are complete.
      detached: true,
    });
    const ended = new Promise<string | number>((resolve) => {
      child.on('exit', (code, signal) => resolve(signal ?? code ?? 'unknown'));
    });
    await new Promise<void>((resolve, reject) => {
      child.on('spawn', resolve);
      child.on('error', (cause) => reject(new CommandError(argv, cause.message, { cause })));
    });
    return {
      async stop() {
        child.kill('SIGINT');
        const timer = setTimeout(() => child.kill('SIGKILL'), toolEndMs);
        try {
          return await ended;
        } finally {
          clearTimeout(timer);
        }
      },
    };
  } finally {
    closeSync(output);
  }
}

/** Host.launch on the machine itself. */
export function startWorkload(workload: WorkloadSpec, cgroup: HostPath): RunningWorkload {
  const output: number[] = [];
  try {
    for (const file of [workload.stdoutFile, workload.stderrFile]) output.push(createOutput(file));
    return startLauncher(workload, cgroup, output);
  } catch (cause) {
    const exit = Promise.reject(
      cause instanceof WorkloadError
        ? cause
        : new WorkloadError(`${workload.argv[0]}: cannot be started: ${messageOf(cause)}`, { cause }),
    );
    return { exit, kill: () => {} };
  } finally {
    // The launcher has its own copies.
    for (const fd of output) closeSync(fd);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Path of a program: as given when absolute, else from the system's folders. */
async function findProgram(argv: readonly string[], name: string): Promise<string> {
  const candidates = name.startsWith('/') ? [name] : programFolders.map((folder) => join(folder, name));
  if (!name.startsWith('/') && name.includes('/')) {
    throw new CommandError(argv, 'a program is named without a folder or by its absolute path');
  }
  for (const candidate of candidates) {
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      // Not here; the error below says where we looked.
    }
  }
  throw new CommandError(argv, 'no such program', {
    hint: name.startsWith('/')
      ? `${name} must exist and be executable`
      : `install ${name}; it is looked for in ${programFolders.join(', ')}`,
  });
}

/** Creates a file for output that cannot be anybody else's: it must not exist, and no symlink is followed. */
export function createOutput(file: string): number {
  try {
    return openSync(
      file,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
  } catch (cause) {
    throw new WorkloadError(`cannot create the output file ${file}: ${messageOf(cause)}`, {
      hint: 'its folder must exist and the file must not',
      cause,
    });
  }
}

/** Starts native/launch, which puts the program into the cgroup and tells how it ended on descriptor 3. */
function startLauncher(
  { argv, user, directory }: WorkloadSpec,
  cgroup: HostPath,
  output: readonly number[],
): RunningWorkload {
  const program = argv[0] ?? '';
  if (!program.startsWith('/'))
    throw new WorkloadError(`${program}: a workload is named by its absolute path`);
  const words = [
    ...(user === undefined ? [] : ['--user', user]),
    ...(directory === undefined ? [] : ['--directory', directory]),
    ...[cgroup, '--', ...argv],
  ];
  const launcher = spawn(helperPath('launch'), words, {
    cwd: '/',
    env: environment,
    stdio: ['ignore', output[0], output[1], 'pipe'],
  });
  const exit = new Promise<WorkloadExit>((resolve, reject) => {
    launcher.on('error', (cause) => {
      reject(
        new WorkloadError(`${helperPath('launch')}: cannot be started: ${cause.message}`, {
          cause,
          hint: "build it with 'npm run build:native'",
        }),
      );
    });
    let report = '';
    const pipe = launcher.stdio[3] as Readable;
    pipe.setEncoding('utf8');
    pipe.on('data', (text: string) => (report += text));
    // `close` and not `exit`: by then all of the report has been read.
    launcher.on('close', (code, signal) => {
      if (report === '') {
        reject(
          new WorkloadError(
            `the launcher of ${program} ended without a report (${signal ?? `exit ${code}`})`,
          ),
        );
        return;
      }
      try {
        resolve(exitOf(JSON.parse(report), { argv, user, directory }, cgroup));
      } catch (error) {
        reject(error);
      }
    });
  });
  // SIGTERM tells the launcher to kill the program and to report.
  return { exit, kill: () => void launcher.kill('SIGTERM') };
}

/** The launcher's line (native/launch/main.cc): how a program ended, or why it could not be started. */
type LaunchReport =
  | { readonly failure: NativeFailure }
  | {
      readonly failure?: undefined;
      readonly exitCode?: number;
      readonly signal?: string;
      readonly elapsedNs: string;
      readonly userUs: string;
      readonly systemUs: string;
      readonly maxRssKiB: number;
    };

function exitOf(
  report: LaunchReport,
  { argv, user, directory }: Pick<WorkloadSpec, 'argv' | 'user' | 'directory'>,
  cgroup: HostPath,
): WorkloadExit {
  if (report.failure !== undefined) {
    const { code, syscall } = report.failure;
    const [program] = argv;
    const whose = user === undefined ? '' : ` for user ${user}`;
    const hints: Readonly<Record<string, string>> = {
      'cgroup2-magic': `${cgroup} must be a directory of a cgroup v2 mount`,
      execve: `${program} must exist and be executable${whose}`,
      chdir: `${directory} must be a folder that can be entered${whose}`,
      setgroups: 'only root can run a workload as another user',
    };
    throw new WorkloadError(`${program}: cannot be started in ${cgroup}: ${code} from ${syscall}`, {
      hint: hints[syscall],
    });
  }
  return {
    exitCode: report.exitCode,
    signal: report.signal,
    elapsedNs: BigInt(report.elapsedNs),
    userUs: BigInt(report.userUs),
    systemUs: BigInt(report.systemUs),
    maxRssKiB: report.maxRssKiB,
  };
}
