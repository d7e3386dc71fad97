import type { Cell } from '../experiment/cells.js';
import { type CodecName, shownAfter } from '../host/codecs.js';
import type { HostPath } from '../host/path.js';
import type { WorkloadTask } from './workload-task.js';

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
  /**
   * Its text when the plan was made; undefined inside a directory that the plan creates, and where an earlier step
   * resets it.
   */
  readonly was: string | undefined;
  /** What the kernel is known to keep instead of `value`. */
  readonly reads?: string;
  /** The device or module whose step remembers this attribute, and with which it is put back. */
  readonly of?: string;
  /** What writing it changes for good, until the next boot. */
  readonly oneWay?: string;
}

/**
 * Write nothing, but remember an attribute that the kernel itself changes in the course of later steps: restore
 * puts it back after them.
 */
export interface KeepStep extends StepBase {
  readonly kind: 'keep';
  readonly path: HostPath;
  readonly codec: CodecName;
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

/** An attribute to remember. */
export interface RememberedAttribute {
  readonly path: HostPath;
  readonly codec: CodecName;
}

/**
 * Remember the whole configuration of an IAA device, then unbind what is bound of it: the kernel resets what it
 * unbinds, so restore sets all of it anew.
 */
export interface DeviceStep extends StepBase {
  readonly kind: 'device';
  readonly device: string;
  readonly path: HostPath;
  /** Bound WQs to unbind, in this order. */
  readonly wqs: readonly { readonly name: string; readonly driver: string }[];
  readonly unbindDevice: boolean;
  /** Not given: by sysfs. */
  readonly by?: 'libaccel-config';
  readonly attributes: readonly RememberedAttribute[];
}

/** Unload iaa_crypto and load it again: what was registered keeps the attributes' old values otherwise. */
export interface ModuleStep extends StepBase {
  readonly kind: 'module';
  readonly module: string;
  /** The driver's directory. */
  readonly path: HostPath;
  readonly attributes: readonly RememberedAttribute[];
}

/** Bind a device or WQ of the dsa bus to a driver. */
export interface BindStep extends StepBase {
  readonly kind: 'bind';
  readonly name: string;
  readonly device: string;
  readonly driver: string;
  /** The driver's file `bind`. */
  readonly path: HostPath;
  /** Not given: by sysfs. */
  readonly by?: 'libaccel-config';
}

/** Wait, write nothing: nobody uses iaa_crypto's algorithms any more. */
export interface DrainStep extends StepBase {
  readonly kind: 'drain';
}

/** Swap on an area of the experiment's own; undone by swapoff, which takes every page out of it. */
export interface SwapStep extends StepBase {
  readonly kind: 'swap';
  readonly path: HostPath;
  readonly priority: number;
}

export type Step =
  | AttributeStep
  | KeepStep
  | ControllerStep
  | CgroupStep
  | ScopeStep
  | CheckStep
  | DeviceStep
  | ModuleStep
  | BindStep
  | DrainStep
  | SwapStep;

/** The text that a step's attribute gives once the step is done, as far as its codec minds. */
export function textAfter(step: Pick<AttributeStep, 'codec' | 'value' | 'reads'>): string {
  return shownAfter(step.codec, step.reads ?? step.value);
}

/** How large zswap's pool will get, from the workload's size and limit and a known ratio. */
export interface PoolForecast {
  /** Compressed bytes that the workload leaves in zswap at its largest, without what is there already. */
  readonly poolBytes: number;
  /** Where zswap takes no more: max_pool_percent of all memory (mm/zswap.c zswap_max_pages). */
  readonly fullBytes: number;
  /** Below which it takes pages again, once full: accept_threshold_percent of that. */
  readonly acceptBytes: number;
  readonly ratio: number;
  /** Where the ratio is from. */
  readonly source: string;
}

/** All that one cell does to a machine, in order: pure data, printable, made without touching anything. */
export interface Plan {
  readonly cell: Cell;
  readonly steps: readonly Step[];
  /** The cgroup that the workload runs in. */
  readonly cgroup: HostPath;
  readonly workload: WorkloadTask;
  /** undefined where the ratio of the workload's contents is not known, or nothing limits it. */
  readonly forecast: PoolForecast | undefined;
  /** What is so already: verified, not done. */
  readonly already: readonly (AttributeStep | BindStep)[];
  /** What a person should know before: what is left out, what the kernel will keep otherwise. */
  readonly warnings: readonly string[];
}
