import type { Inventory } from '../discover/inventory.js';
import { PlanError, type PlanIssue } from '../errors.js';
import type { Cell } from '../experiment/cells.js';
import type { Experiment } from '../experiment/schema.js';
import { type CodecName, codecs } from '../host/codecs.js';
import { type HostPath, hostPath } from '../host/path.js';
import { type UsememTask, usememTask } from './usemem.js';

interface StepBase {
  /** Unique in its plan, as `thp.64kB`. */
  readonly id: string;
  readonly why: string;
  /** Who feels it: every process of the machine, or only this run's own cgroup. */
  readonly affects: 'machine' | 'run';
}

/** Write one value to one attribute. */
export interface AttributeStep extends StepBase {
  readonly kind: 'attribute';
  readonly path: HostPath;
  readonly codec: CodecName;
  /** As it is written, without newline. */
  readonly value: string;
  /** Its text when the plan was made; undefined inside a directory that the plan creates. */
  readonly was: string | undefined;
  /** What writing it changes for good, until the next boot. */
  readonly oneWay?: string;
}

/** Enable a controller for the children of a cgroup (`+memory` to cgroup.subtree_control). */
export interface ControllerStep extends StepBase {
  readonly kind: 'controller';
  readonly path: HostPath;
  readonly controller: string;
}

/** Create a cgroup; undone by ending what runs in it and removing it. */
export interface CgroupStep extends StepBase {
  readonly kind: 'cgroup';
  readonly path: HostPath;
}

/** Ask systemd for a transient scope with Delegate=yes; undone by stopping it. */
export interface ScopeStep extends StepBase {
  readonly kind: 'scope';
  readonly unit: string;
  /** Where systemd puts it. */
  readonly path: HostPath;
}

/** Look, write nothing: zswap must really have a pool of this compressor. */
export interface CheckStep extends StepBase {
  readonly kind: 'check';
  readonly check: 'zswap-pool';
  readonly compressor: string;
}

export type Step = AttributeStep | ControllerStep | CgroupStep | ScopeStep | CheckStep;

/** All that one cell does to a machine, in order: pure data, printable, made without touching anything. */
export interface Plan {
  readonly cell: Cell;
  readonly steps: readonly Step[];
  /** The cgroup that the workload runs in. */
  readonly cgroup: HostPath;
  readonly workload: UsememTask;
  /** Attributes that hold their value already, `path value`; they are verified, not written. */
  readonly already: readonly AttributeStep[];
}

const zswapParameters = '/sys/module/zswap/parameters';
const thpDirectory = '/sys/kernel/mm/transparent_hugepage';
/** The name of our cgroup and of our systemd unit: one, because one lock per host lets one run be. */
const ourName = 'iaa-zswap';

/** Everything that the plan of one cell needs to know; issues are gathered, not thrown one by one. */
class Planner {
  readonly issues: PlanIssue[] = [];
  readonly steps: Step[] = [];
  readonly already: AttributeStep[] = [];
  private readonly inventory: Inventory;

  constructor(inventory: Inventory) {
    this.inventory = inventory;
  }

  issue(path: string, message: string, mend: string): void {
    this.issues.push({ path, message, mend });
  }

  /** Sets an attribute of the machine that the inventory knows. */
  set(id: string, path: HostPath, codec: CodecName, value: string, why: string, oneWay?: string): void {
    const was = this.inventory.attributes[path];
    if (was === undefined) {
      const found = this.inventory.findings.find((finding) => finding.path === path);
      this.issue(
        path,
        found?.message ?? 'this kernel does not offer it',
        found?.mend ?? 'remove the key from the experiment, or use a kernel that has it',
      );
      return;
    }
    const step: AttributeStep = {
      kind: 'attribute',
      id,
      path,
      codec,
      value,
      was,
      why,
      affects: 'machine',
      ...(oneWay === undefined ? {} : { oneWay }),
    };
    try {
      const { parse } = codecs[codec];
      (parse(was) === parse(readBack(codec, value)) ? this.already : this.steps).push(step);
    } catch {
      this.issue(
        path,
        `reads ${JSON.stringify(was)}, which the kernel never writes`,
        'look at the machine (a broken mock or capture?)',
      );
    }
  }
}

/** The text an attribute gives after `value` was written to it. */
function readBack(codec: CodecName, value: string): string {
  return codec === 'choice' ? `[${value}]` : value;
}

/**
 * Plans one cell of an experiment on a machine. Pure. Throws PlanError with every reason why it cannot be.
 * The steps hold only what differs from the machine as the inventory saw it.
 */
export function plan(inventory: Inventory, experiment: Experiment, cell: Cell): Plan {
  const planner = new Planner(inventory);
  planZswap(planner, inventory, experiment, cell);
  planThp(planner, inventory, experiment, cell);
  planVm(planner, experiment);
  const cgroup = planCgroup(planner, inventory, experiment);
  const workload = usememTask(experiment.workload.usemem, inventory.cpu);
  checkCpus(planner, inventory, experiment, workload);
  checkSwap(planner, inventory, experiment, workload);
  if (planner.issues.length > 0) throw new PlanError(planner.issues);
  return { cell, steps: planner.steps, already: planner.already, cgroup, workload };
}

/**
 * enabled comes first: before zswap's first enable the kernel accepts any compressor name and then silently
 * falls back to its default (mm/zswap.c zswap_setup).
 */
function planZswap(planner: Planner, inventory: Inventory, experiment: Experiment, cell: Cell): void {
  if (inventory.zswap === undefined) {
    planner.issue(zswapParameters, 'this kernel has no zswap', 'use a kernel with CONFIG_ZSWAP=y');
    return;
  }
  const parameter = (name: string) => hostPath(zswapParameters, name);
  const first = inventory.zswap.initialised !== true && inventory.zswap.enabled !== true;
  planner.set(
    'zswap.enabled',
    parameter('enabled'),
    'yesNo',
    'Y',
    'pages go to zswap before the swap device',
    first
      ? `${inventory.zswap.initialised === undefined ? 'if it was never enabled since boot, ' : ''}zswap stays set up and the kernel no longer swaps in large folios, even after enabled=N`
      : undefined,
  );
  planner.set(
    'zswap.compressor',
    parameter('compressor'),
    'text',
    cell.compressor,
    'the compressor under test',
  );
  const { zpool, ...others } = experiment.zswap;
  // Since 6.18 zsmalloc is all there is and the parameter is gone.
  const zpoolIsBuiltIn = zpool === 'zsmalloc' && inventory.attributes[parameter('zpool')] === undefined;
  if (zpool !== undefined && !zpoolIsBuiltIn)
    planner.set('zswap.zpool', parameter('zpool'), 'text', zpool, 'as the experiment says');
  for (const [name, value] of Object.entries(others)) {
    const [codec, text] =
      typeof value === 'boolean'
        ? (['yesNo', codecs.yesNo.format(value)] as const)
        : (['decimal', String(value)] as const);
    planner.set(`zswap.${name}`, parameter(name), codec, text, 'as the experiment says');
  }
  planner.steps.push({
    kind: 'check',
    id: 'zswap.pool',
    check: 'zswap-pool',
    compressor: cell.compressor,
    affects: 'run',
    why: 'zswap falls back to its default compressor without an error',
  });
}

/**
 * Only the folio size under test may be taken: the kernel tries the largest enabled size first, and sizes at
 * `inherit` follow the global switch (mm/huge_memory.c thp_vma_allowable_orders).
 */
function planThp(planner: Planner, inventory: Inventory, experiment: Experiment, cell: Cell): void {
  const { thp } = inventory;
  const global = hostPath(thpDirectory, 'enabled');
  const basePage = cell.folio === '4kB';
  if (thp === undefined) {
    if (!basePage)
      planner.issue(
        thpDirectory,
        'this kernel has no transparent huge pages',
        'use a kernel with CONFIG_TRANSPARENT_HUGEPAGE=y',
      );
    return;
  }
  if (!basePage && !thp.sizes.some((size) => size.name === cell.folio)) {
    const known = thp.sizes.map((size) => size.name).join(', ');
    planner.issue(
      hostPath(thpDirectory, `hugepages-${cell.folio}`),
      `this kernel has no anonymous folios of ${cell.folio}${known === '' ? '' : `; it has ${known}`}`,
      known === '' ? 'use a kernel of 6.8 or later' : 'name one of these sizes',
    );
  }
  planner.set('thp.enabled', global, 'choice', 'never', 'no size may be taken through inherit');
  // The size under test last, so that at no time two are enabled.
  const sizes = thp.sizes.map((size) => size.name);
  for (const name of [
    ...sizes.filter((size) => size !== cell.folio),
    ...sizes.filter((size) => size === cell.folio),
  ]) {
    const tested = name === cell.folio;
    planner.set(
      `thp.${name}`,
      hostPath(thpDirectory, `hugepages-${name}`, 'enabled'),
      'choice',
      tested ? 'always' : 'never',
      tested ? 'the folio size under test' : 'no other size may be taken',
    );
  }
  const { defrag, ...switches } = experiment.thp;
  if (defrag !== undefined)
    planner.set('thp.defrag', hostPath(thpDirectory, 'defrag'), 'choice', defrag, 'as the experiment says');
  for (const [name, value] of Object.entries(switches)) {
    if (value === undefined) continue;
    planner.set(
      `thp.${name}`,
      hostPath(thpDirectory, name),
      'oneZero',
      codecs.oneZero.format(value),
      'as the experiment says',
    );
  }
}

function planVm(planner: Planner, experiment: Experiment): void {
  for (const [name, value] of Object.entries(experiment.vm)) {
    planner.set(
      `vm.${name}`,
      hostPath('/proc/sys/vm', name),
      'decimal',
      String(value),
      'as the experiment says',
    );
  }
}

function planCgroup(planner: Planner, inventory: Inventory, experiment: Experiment): HostPath {
  const { mount, controllers, subtreeControl, systemd } = inventory.cgroup;
  const cpuset =
    experiment.cgroup['cpuset.cpus'] !== undefined || experiment.cgroup['cpuset.mems'] !== undefined;
  const needed = cpuset ? ['memory', 'cpuset'] : ['memory'];
  if (mount === undefined) {
    planner.issue(
      '/sys/fs/cgroup',
      'no cgroup v2 is mounted',
      'boot with systemd.unified_cgroup_hierarchy=1, or mount cgroup2 on /sys/fs/cgroup',
    );
    return hostPath('/sys/fs/cgroup', ourName);
  }
  for (const controller of needed.filter((name) => !controllers.includes(name))) {
    planner.issue(
      hostPath(mount, 'cgroup.controllers'),
      `cgroup v2 has no ${controller} controller here`,
      'a cgroup v1 hierarchy holds it, or the kernel was booted with cgroup_disable: boot with systemd.unified_cgroup_hierarchy=1',
    );
  }
  let directory: HostPath;
  if (systemd) {
    // systemd owns the hierarchy: only a delegated unit of ours may be changed (systemd's CGROUP_DELEGATION).
    const unit = `${ourName}.scope`;
    const path = hostPath(mount, 'system.slice', unit);
    planner.steps.push({
      kind: 'scope',
      id: 'cgroup.scope',
      unit,
      path,
      affects: 'run',
      why: 'systemd owns the cgroup tree: this is the part of it that is ours',
    });
    for (const controller of needed) {
      planner.steps.push({
        kind: 'controller',
        id: `cgroup.+${controller}`,
        path: hostPath(path, 'cgroup.subtree_control'),
        controller,
        affects: 'run',
        why: 'for the limits of the workload',
      });
    }
    directory = hostPath(path, 'workload');
  } else {
    for (const controller of needed.filter((name) => !subtreeControl.includes(name))) {
      planner.steps.push({
        kind: 'controller',
        id: `cgroup.+${controller}`,
        path: hostPath(mount, 'cgroup.subtree_control'),
        controller,
        affects: 'machine',
        why: 'for the limits of the workload',
      });
    }
    directory = hostPath(mount, ourName);
  }
  planner.steps.push({
    kind: 'cgroup',
    id: 'cgroup.create',
    path: directory,
    affects: 'run',
    why: 'the workload runs here',
  });
  for (const [name, value] of Object.entries(experiment.cgroup)) {
    const [codec, text] =
      typeof value === 'boolean'
        ? (['oneZero', codecs.oneZero.format(value)] as const)
        : typeof value === 'string' && value !== 'max'
          ? (['text', value] as const)
          : (['limit', String(value)] as const);
    planner.steps.push({
      kind: 'attribute',
      id: `cgroup.${name}`,
      path: hostPath(directory, name),
      codec,
      value: text,
      was: undefined,
      affects: 'run',
      why: 'as the experiment says',
    });
  }
  return directory;
}

/** usemem's CPUs must be online and inside the cpuset, or its binds fail. */
function checkCpus(
  planner: Planner,
  inventory: Inventory,
  experiment: Experiment,
  workload: UsememTask,
): void {
  const allowed = experiment.cgroup['cpuset.cpus'];
  if (allowed === undefined) return;
  const inside = new Set(cpusOf(allowed));
  const outside = workload.cpus.filter((cpu) => !inside.has(cpu));
  if (outside.length > 0) {
    planner.issue(
      'cgroup."cpuset.cpus"',
      `usemem binds to CPU ${outside.join(', ')}, which ${allowed} does not hold`,
      'widen cpuset.cpus, or change processes or bind',
    );
  }
  const offline = [...inside].filter((cpu) => !inventory.cpu.online.includes(cpu));
  if (offline.length > 0) {
    planner.issue('cgroup."cpuset.cpus"', `CPU ${offline.join(', ')} is not online here`, 'name online CPUs');
  }
}

/** CPU numbers of a list as `0-3,8` (the schema has checked its form). */
export function cpusOf(list: string): number[] {
  return list.split(',').flatMap((range) => {
    const [first = Number.NaN, last = first] = range.split('-').map(Number);
    return Array.from({ length: Math.max(0, Math.min(last, 8191) - first + 1) }, (_, index) => first + index);
  });
}

/** Every page in zswap holds a swap slot, so the swap areas must take what the limit pushes out. */
function checkSwap(
  planner: Planner,
  inventory: Inventory,
  experiment: Experiment,
  workload: UsememTask,
): void {
  if (inventory.swap.length === 0) {
    planner.issue(
      '/proc/swaps',
      'there is no swap area, and zswap stores only pages that have a swap slot',
      'swapon a partition or file',
    );
    return;
  }
  const limits = [experiment.cgroup['memory.high'], experiment.cgroup['memory.max']].filter(
    (value) => typeof value === 'bigint',
  );
  if (limits.length === 0) return;
  const overflow = workload.totalBytes - (limits.sort((a, b) => Number(a - b))[0] ?? 0n);
  const freeBytes = inventory.swap.reduce(
    (sum, area) => sum + BigInt(area.sizeKiB - area.usedKiB) * 1024n,
    0n,
  );
  if (overflow > freeBytes) {
    planner.issue(
      '/proc/swaps',
      `the workload needs ${overflow >> 20n} MiB of swap beyond its limit, ${freeBytes >> 20n} MiB are free`,
      'add swap, or lower processes or size',
    );
  }
}
