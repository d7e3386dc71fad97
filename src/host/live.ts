import { HostIoError, RequirementError } from '../errors.js';
import { native } from '../native/load.js';
import type { NativeHostRoot } from '../native/surface.js';
import { hintFor } from './hints.js';
import type { ExecOptions, ExecResult, Host, RunningTool, RunningWorkload, WorkloadSpec } from './host.js';
import { type HostPath, hostPath } from './path.js';
import { runProgram, startTool, startWorkload } from './programs.js';
import { readOnly } from './read-only.js';
import { TreeHost } from './tree-host.js';

// linux/magic.h
const sysfsMagic = 0x62656572;
const procfsMagic = 0x9fa0;

/**
 * Opens the machine we run on. To change it takes real sysfs and procfs (RequirementError). Under IAA_ZSWAP_TEST=1
 * it is never opened for changes, so that no test can touch the machine it runs on; the guest, which is there to
 * be changed, sets IAA_ZSWAP_GUEST=1.
 */
export async function openLive(options: { readonly writable: boolean }): Promise<Host> {
  if (options.writable && process.env['IAA_ZSWAP_TEST'] === '1' && process.env['IAA_ZSWAP_GUEST'] !== '1') {
    throw new RequirementError('this machine is not opened for changes while IAA_ZSWAP_TEST=1 is set', {
      hint: 'tests change mocks or the guest, which sets IAA_ZSWAP_GUEST=1',
    });
  }
  const root = native().openHostRoot('/', options.writable);
  if ('errno' in root) {
    throw new HostIoError({
      operation: 'open',
      path: '/',
      root: '/',
      errno: root.errno,
      errnoCode: root.code,
      syscall: root.syscall,
    });
  }
  const host = new LiveHost(root, options.writable);
  if (!options.writable) return readOnly(host);
  try {
    await requireFileSystem(root, hostPath('/sys'), 'sysfs', sysfsMagic);
    await requireFileSystem(root, hostPath('/proc'), 'proc', procfsMagic);
  } catch (error) {
    await host.close();
    throw error;
  }
  return host;
}

/**
 * Throws RequirementError unless a file system of this type is at `path`: writes to a directory that only looks
 * like /sys would be taken for changes of the machine.
 */
export async function requireFileSystem(
  root: Pick<NativeHostRoot, 'statfsMagic'>,
  path: HostPath,
  type: string,
  magic: number,
): Promise<void> {
  const found = await root.statfsMagic(path);
  if (found === magic) return;
  if (typeof found !== 'number') {
    throw new HostIoError(
      {
        operation: 'statfs',
        path,
        root: '/',
        errno: found.errno,
        errnoCode: found.code,
        syscall: found.syscall,
      },
      { hint: hintFor('statfs', path, found.code) },
    );
  }
  throw new RequirementError(`${path} is not ${type} but a file system of type 0x${found.toString(16)}`, {
    hint: `mount it: mount -t ${type} ${type} ${path}`,
  });
}

class LiveHost extends TreeHost {
  override readonly runsWorkloads = true;

  constructor(root: NativeHostRoot, writable: boolean) {
    super({ name: 'live', root: '/', writable }, root);
  }

  override exec(argv: readonly string[], options?: ExecOptions): Promise<ExecResult> {
    return runProgram(argv, options);
  }

  override start(argv: readonly string[], outputFile: string): Promise<RunningTool> {
    return startTool(argv, outputFile);
  }

  override launch(workload: WorkloadSpec, cgroup: HostPath): RunningWorkload {
    return startWorkload(workload, cgroup);
  }
}
