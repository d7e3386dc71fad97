import type { Cell } from '../experiment/cells.js';
import type { CodecName } from '../host/codecs.js';
import type { HostPath } from '../host/path.js';
import type { UsememTask } from './usemem.js';

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

export type Step = AttributeStep | KeepStep | ControllerStep | CgroupStep | ScopeStep | CheckStep;

/** All that one cell does to a machine, in order: pure data, printable, made without touching anything. */
export interface Plan {
  readonly cell: Cell;
  readonly steps: readonly Step[];
  /** The cgroup that the workload runs in. */
  readonly cgroup: HostPath;
  readonly workload: UsememTask;
  /** Attributes that hold their value already, `path value`; they are verified, not written. */
  readonly already: readonly AttributeStep[];
  /** What a person should know before: what is left out, what the kernel will keep otherwise. */
  readonly warnings: readonly string[];
}
