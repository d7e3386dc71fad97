import { RequirementError } from '../errors.js';
import type { Host } from '../host/host.js';
import { helperPath } from '../native/load.js';
import type { NativeFailure } from '../native/surface.js';
import type { Argv, WorkloadTask } from '../plan/workload-task.js';

/** Who runs workloads that name nobody. */
export interface InvokingUser {
  /** As native/launch takes it, `1000` or `1000:1000`; undefined: the tool is not root, and nobody else can be chosen. */
  readonly key: string | undefined;
  readonly name: string | undefined;
  /** Why SUDO_UID was not taken at its word. */
  readonly notice: string | undefined;
}

/** What `launch --check` prints (native/launch/main.cc). */
type Checked =
  | { readonly failure: NativeFailure }
  | {
      readonly failure?: undefined;
      readonly user?: { readonly name: string; readonly uid: number };
      readonly denied: readonly { readonly index: number; readonly code: string }[];
    };

/** A program by its path: one of this package's own is named without a folder. */
export function programArgv([program = '', ...parameters]: Argv): string[] {
  return [program.startsWith('/') ? program : helperPath(program), ...parameters];
}

/**
 * Who called sudo, as far as that can be believed: the tool is root, and SUDO_UID is somebody in the user database. The
 * group of SUDO_GID is only taken when that user is in it. Else root.
 */
export async function invokingUser(
  host: Host,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Promise<InvokingUser> {
  if (process.geteuid?.() !== 0) return { key: undefined, name: undefined, notice: undefined };
  const { SUDO_UID: uid, SUDO_GID: gid } = environment;
  const root = { key: '0', name: 'root' };
  if (uid === undefined || uid === '0') return { ...root, notice: undefined };
  if (!/^\d{1,10}$/.test(uid))
    return { ...root, notice: `SUDO_UID is no user's number: the workload runs as root` };
  const keys = [...(gid !== undefined && /^\d{1,10}$/.test(gid) ? [`${uid}:${gid}`] : []), uid];
  for (const key of keys) {
    const checked = await check(host, key, []);
    if (checked.failure === undefined) return { key, name: checked.user?.name, notice: undefined };
  }
  return { ...root, notice: `SUDO_UID ${uid} is no user here: the workload runs as root` };
}

/** Throws RequirementError when a workload's user is not there or may not use what it needs: all of it at once. */
export async function refuseWorkloads(
  host: Host,
  tasks: readonly WorkloadTask[],
  invoking: InvokingUser,
): Promise<void> {
  const problems = new Map<string, string>();
  for (const task of tasks) {
    const user = task.user ?? invoking.key;
    const [program = ''] = programArgv(task.argv);
    const own = task.argv[0] === program ? [] : [{ path: program, mode: 'x', what: 'the workload' }];
    const needs = [...own, ...task.needs];
    const checked = await check(host, user, needs);
    if (checked.failure !== undefined) {
      const { code, syscall } = checked.failure;
      problems.set(
        `workload.user: ${user}: ${code} from ${syscall}`,
        syscall === 'setgroups'
          ? 'only root can run a workload as another user'
          : 'name a user that is there',
      );
      continue;
    }
    for (const { index, code } of checked.denied) {
      const need = needs[index];
      const who = user === undefined ? 'you' : `user ${checked.user?.name ?? user}`;
      const verb = { r: 'read', w: 'write to', x: 'use' }[need?.mode[0] ?? 'x'];
      problems.set(
        `${need?.what}: ${who} cannot ${verb} ${need?.path}: ${code}`,
        code === 'ENOENT'
          ? 'name one that is there'
          : 'let that user, or set workload.user (root, for instance)',
      );
    }
  }
  if (problems.size === 0) return;
  throw new RequirementError([...problems.keys()].join('\n'), {
    hint: [...new Set(problems.values())].join('; '),
  });
}

async function check(
  host: Host,
  user: string | undefined,
  needs: readonly { readonly path: string; readonly mode: string }[],
): Promise<Checked> {
  const whose = user === undefined ? [] : ['--user', user];
  const wishes = needs.map(({ mode, path }) => `${mode}:${path}`);
  const { exitCode, stdout, stderr } = await host.exec([
    helperPath('launch'),
    ...['--check', ...whose, '--', ...wishes],
  ]);
  if (exitCode !== 0)
    throw new RequirementError(`${helperPath('launch')}: ${stderr.trim()}`, { hint: 'build it anew' });
  return JSON.parse(stdout) as Checked;
}
