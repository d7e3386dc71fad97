/**
 * cgroup v2 and its memory controller (kernel/cgroup/cgroup.c, mm/memcontrol.c, kernel/sched/psi.c; all files in
 * Documentation/admin-guide/cgroup-v2.rst). The root group has neither limits nor memory.events.
 */
import type { CgroupState, Finding } from '../discover/inventory.js';
import { ParseError } from '../errors.js';
import { codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { addFinding, kernelFile, listDirectory, parseCount, parseWith, readFiles } from './attribute.js';
import { type Counters, parseFlatKeyed } from './flat-keyed.js';
import { type Mount, mountinfoPath, parseMountinfo } from './mountinfo.js';

/** Path of a group's file, as `memory.high`. */
export function cgroupFile(group: HostPath, name: string): HostPath {
  return hostPath(group, name);
}

/** Parses cgroup.controllers and cgroup.subtree_control: names with blanks between them; throws ParseError. */
export function parseControllers(text: string, path: string): string[] {
  const line = text.endsWith('\n') ? text.slice(0, -1) : text;
  if (line === '') return [];
  const names = line.split(' ');
  if (!names.every((name) => /^[a-z_0-9]+$/.test(name))) {
    throw new ParseError({ path, found: text, expected: 'controller names with blanks between them' });
  }
  return names;
}

/** Parses cgroup.procs: one process id a line; 0 is a process outside our pid namespace. Throws ParseError with the line. */
export function parseProcs(text: string, path: string): number[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line, index) => {
    if (!/^\d{1,10}$/.test(line)) {
      throw new ParseError({ path, line: index + 1, found: line, expected: 'a process id' });
    }
    return Number(line);
  });
}

/** How long tasks stalled: shares of the last 10, 60 and 300 s in percent, and the sum since the group was made. */
export interface Stall {
  readonly avg10: number;
  readonly avg60: number;
  readonly avg300: number;
  readonly totalUs: bigint;
}

export interface Pressure {
  /** At least one task stalled. */
  readonly some: Stall;
  /** All tasks stalled at once. */
  readonly full: Stall | undefined;
}

/** Parses memory.pressure (kernel/sched/psi.c psi_show); throws ParseError with the line. */
export function parsePressure(text: string, path: string): Pressure {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  const stalls = new Map<string, Stall>();
  for (const [index, line] of lines.entries()) {
    const match =
      /^(some|full) avg10=(\d+\.\d\d) avg60=(\d+\.\d\d) avg300=(\d+\.\d\d) total=(\d{1,20})$/.exec(line);
    if (match === null) {
      throw new ParseError({
        path,
        line: index + 1,
        found: line,
        expected: 'some or full, avg10, avg60, avg300, total',
      });
    }
    const [, kind = '', avg10, avg60, avg300, total = ''] = match;
    stalls.set(kind, {
      avg10: Number(avg10),
      avg60: Number(avg60),
      avg300: Number(avg300),
      totalUs: BigInt(total),
    });
  }
  const some = stalls.get('some');
  if (some === undefined) throw new ParseError({ path, found: text, expected: 'a line some' });
  return { some, full: stalls.get('full') };
}

/** A group's memory limits, in bytes; `undefined` for one that this kernel does not have. */
export interface MemoryLimits {
  readonly high: bigint | 'max' | undefined;
  readonly max: bigint | 'max' | undefined;
  readonly swapMax: bigint | 'max' | undefined;
  readonly zswapMax: bigint | 'max' | undefined;
  /** Whether zswap may write pages of this group back to the device. */
  readonly zswapWriteback: boolean | undefined;
}

/** Reads a group's memory limits. */
export async function readMemoryLimits(
  host: Host,
  group: HostPath,
  findings: Finding[],
): Promise<MemoryLimits> {
  const limit = parseWith(codecs.limit);
  return readFiles(host, findings, {
    high: kernelFile(cgroupFile(group, 'memory.high'), limit),
    max: kernelFile(cgroupFile(group, 'memory.max'), limit),
    swapMax: kernelFile(cgroupFile(group, 'memory.swap.max'), limit),
    zswapMax: kernelFile(cgroupFile(group, 'memory.zswap.max'), limit),
    zswapWriteback: kernelFile(cgroupFile(group, 'memory.zswap.writeback'), parseWith(codecs.oneZero)),
  });
}

/** A group's counters and present use. */
export interface CgroupCounters {
  /** memory.current, bytes. */
  readonly currentBytes: number | undefined;
  /** memory.zswap.current: compressed size, bytes. */
  readonly zswapCurrentBytes: number | undefined;
  /** memory.events: low, high, max, oom, oom_kill, oom_group_kill. */
  readonly events: Counters | undefined;
  /** memory.swap.events: high, max, fail. */
  readonly swapEvents: Counters | undefined;
  /** memory.stat: sizes in bytes; zswp*, pswp*, pg* in events or base pages. */
  readonly stat: Counters | undefined;
  readonly pressure: Pressure | undefined;
  /** cpu.stat: usage_usec, user_usec, system_usec and more. */
  readonly cpu: Counters | undefined;
}

/** Reads a group's counters in one call. */
export async function readCgroupCounters(
  host: Host,
  group: HostPath,
  findings: Finding[],
): Promise<CgroupCounters> {
  return readFiles(host, findings, {
    currentBytes: kernelFile(cgroupFile(group, 'memory.current'), parseCount),
    zswapCurrentBytes: kernelFile(cgroupFile(group, 'memory.zswap.current'), parseCount),
    events: kernelFile(cgroupFile(group, 'memory.events'), parseFlatKeyed),
    swapEvents: kernelFile(cgroupFile(group, 'memory.swap.events'), parseFlatKeyed),
    stat: kernelFile(cgroupFile(group, 'memory.stat'), parseFlatKeyed),
    pressure: kernelFile(cgroupFile(group, 'memory.pressure'), parsePressure),
    cpu: kernelFile(cgroupFile(group, 'cpu.stat'), parseFlatKeyed),
  });
}

/** Reads the processes of a group; `undefined` when the group is gone. */
export async function readProcs(
  host: Host,
  group: HostPath,
  findings: Finding[],
): Promise<number[] | undefined> {
  const { procs } = await readFiles(host, findings, {
    procs: kernelFile(cgroupFile(group, 'cgroup.procs'), parseProcs),
  });
  return procs;
}

/** How to get the memory controller off cgroup v1. */
function unify(systemd: boolean): string {
  return systemd
    ? 'boot with the parameter systemd.unified_cgroup_hierarchy=1'
    : 'boot with the parameter cgroup_no_v1=all, and mount cgroup v2: mount -t cgroup2 none /sys/fs/cgroup';
}

/** Finds cgroup v2 and says, as a finding, when its memory controller cannot be used. */
export async function readCgroup(host: Host, findings: Finding[]): Promise<CgroupState> {
  const systemd = (await listDirectory(host, findings, hostPath('/run/systemd/system'))) !== undefined;
  const { mounts } = await readFiles(host, findings, {
    mounts: kernelFile(mountinfoPath, parseMountinfo),
  });
  const unified = mounts?.find((mount) => mount.type === 'cgroup2' && mount.mountPoint !== '/');
  const v1 = mounts?.find((mount) => mount.type === 'cgroup' && mount.superOptions.includes('memory'));
  if (unified === undefined) {
    addFinding(findings, noUnified(mounts, systemd));
    return { mount: undefined, controllers: [], subtreeControl: [], systemd };
  }
  const mount = hostPath(unified.mountPoint);
  const { controllers = [], subtreeControl = [] } = await readFiles(host, findings, {
    controllers: kernelFile(cgroupFile(mount, 'cgroup.controllers'), parseControllers),
    subtreeControl: kernelFile(cgroupFile(mount, 'cgroup.subtree_control'), parseControllers),
  });
  if (!controllers.includes('memory')) {
    addFinding(findings, {
      path: cgroupFile(mount, 'cgroup.controllers'),
      message:
        v1 === undefined
          ? 'cgroup v2 has no memory controller here'
          : `the memory controller is on cgroup v1 (${v1.mountPoint})`,
      mend:
        v1 === undefined ? 'boot without cgroup_disable=memory a kernel with CONFIG_MEMCG=y' : unify(systemd),
    });
  }
  return { mount, controllers, subtreeControl, systemd };
}

function noUnified(mounts: readonly Mount[] | undefined, systemd: boolean): Finding {
  if (mounts === undefined) {
    return {
      path: mountinfoPath,
      message: 'the mounts are unknown, so no cgroup v2 was found',
      mend: 'see that /proc is mounted and that a captured tree holds this file',
    };
  }
  if (mounts.some((mount) => mount.type === 'cgroup')) {
    return {
      path: mountinfoPath,
      message: 'only cgroup v1 is mounted; runs need cgroup v2',
      mend: unify(systemd),
    };
  }
  return {
    path: mountinfoPath,
    message: 'no cgroup v2 is mounted',
    mend: 'mount -t cgroup2 none /sys/fs/cgroup',
  };
}
