/** Tries an experiment's configuration, and its restore, with one thing going wrong at each point there is. */
import assert from 'node:assert/strict';
import { cpSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Journal } from '../../src/apply/journal.js';
import { discover } from '../../src/discover/discover.js';
import type { Inventory } from '../../src/discover/inventory.js';
import { isLabError } from '../../src/errors.js';
import { applyPlan } from '../../src/experiment/apply-plan.js';
import { cellsOf } from '../../src/experiment/cells.js';
import { parseExperiment } from '../../src/experiment/file.js';
import { restoreHost } from '../../src/experiment/restore-host.js';
import type { Host } from '../../src/host/host.js';
import type { MemoryTree } from '../../src/host/memory-tree.js';
import { MockHost } from '../../src/host/mock.js';
import { hostPath } from '../../src/host/path.js';
import { type PlanOptions, plan } from '../../src/plan/plan.js';
import type { Plan } from '../../src/plan/steps.js';
import type { TreeEntry } from '../../src/testing/index.js';
import { entriesOf, treeOf } from '../../src/testing/machine.js';
import { type AttemptedChange, type Fault, faultyHost } from './faulty-host.js';

/** A machine, and what is to be made of it. */
export interface FaultCase {
  readonly name: string;
  readonly machine: readonly TreeEntry[];
  /** Text of an experiment file; its first cell is applied. */
  readonly experiment: string;
  readonly options?: PlanOptions;
}

/**
 * How one point came out: the tool itself put the machine back, or had not changed it; or it said with exit 5 that it
 * could not, or was killed, and a later restore did.
 */
export type Outcome = 'restored' | 'exit 5' | 'killed';

const errnos = ['EIO', 'EBUSY', 'EINVAL', 'ENODEV', 'EPERM', 'ENXIO'] as const;

/** Everything that can go wrong with one change; only a value can be kept. */
function faultsOf({ operation }: AttemptedChange): readonly Fault[] {
  return [
    ...errnos.map((errno) => ({ kind: 'errno', errno }) as const),
    ...(operation === 'write' ? [{ kind: 'kept' } as const] : []),
    { kind: 'hung' },
    { kind: 'death', when: 'before' },
    { kind: 'death', when: 'after' },
  ];
}

/** What of a machine is to be as before: not the kernel's log, nor what a device says of its last command. */
export function settingsOf(tree: MemoryTree): Record<string, string> {
  return Object.fromEntries(
    entriesOf(tree).flatMap((entry) => {
      if (/\/(?:cmd_status|kmsg)$/.test(entry.path)) return [];
      if (entry.kind === 'file') return [[entry.path, entry.content.toString()]];
      return [[entry.path, entry.kind === 'link' ? entry.target : 'directory']];
    }),
  );
}

/** Enables zswap and puts back what it was: once and for all, since the first time cannot be undone. */
export async function setUpZswap(host: Host): Promise<void> {
  const enabled = hostPath('/sys/module/zswap/parameters/enabled');
  const [was = ''] = await host.read([enabled]);
  await host.write(enabled, 'Y\n');
  await host.write(enabled, was);
}

function isSame(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const paths = Object.keys(a);
  return paths.length === Object.keys(b).length && paths.every((path) => a[path] === b[path]);
}

/** A case made ready: the machine with zswap set up once, its plan, and what applying and restoring it does. */
interface Prepared {
  readonly name: string;
  readonly entries: readonly TreeEntry[];
  readonly plan: Plan;
  readonly inventory: Inventory;
  readonly first: Readonly<Record<string, string>>;
  readonly applied: Readonly<Record<string, string>>;
  readonly applies: readonly AttemptedChange[];
  readonly undoes: readonly AttemptedChange[];
}

/** Tries a case with faults. Each point has a machine and a state directory of its own. */
export class FaultTrial {
  readonly #case: Prepared;

  private constructor(prepared: Prepared) {
    this.#case = prepared;
  }

  static async of(each: FaultCase): Promise<FaultTrial> {
    const { name } = each;
    const tree = treeOf(each.machine);
    const host = mockOf(tree);
    await setUpZswap(host);
    const entries = entriesOf(tree);
    const first = settingsOf(tree);
    const inventory = await discover(host);
    const experiment = parseExperiment(each.experiment, `${name}.yaml`);
    const [cell] = cellsOf(experiment);
    assert.ok(cell);
    const made = plan(inventory, experiment, cell, each.options);
    const changes: AttemptedChange[] = [];
    const counting = faultyHost(host, (change) => {
      changes.push(change);
      return undefined;
    });
    return withState(async (state) => {
      await applyPlan(counting, made, { inventory, stateDirectory: state });
      const applied = settingsOf(tree);
      const applies = changes.splice(0);
      await restoreHost(counting, state);
      assert.ok(isSame(settingsOf(tree), first), `${name}: restored without any fault`);
      return new FaultTrial({
        name,
        entries,
        plan: made,
        inventory,
        first,
        applied,
        applies,
        undoes: changes,
      });
    });
  }

  /** Every point of this trial, each to be tried at any time and in any order. */
  *points(): Generator<() => Promise<Outcome>> {
    for (const change of this.#case.applies) {
      const at = change.number;
      for (const fault of faultsOf(change)) yield () => this.#applyWith(at, fault);
      yield () => this.#applyAndUndoWith(at);
    }
    for (const [index, change] of this.#case.undoes.entries()) {
      for (const fault of faultsOf(change)) yield () => this.#restoreWith(index + 1, fault);
    }
  }

  /** Lets one change of apply go wrong. */
  async #applyWith(at: number, fault: Fault): Promise<Outcome> {
    const label = this.#label('apply', this.#case.applies, at, fault);
    const tree = treeOf(this.#case.entries);
    return withState(async (state) => {
      const outcome = await this.#apply(tree, state, (change) => (change.number === at ? fault : undefined));
      if (fault.kind === 'death') {
        await this.#complete(tree, state, outcome.stateAtDeath, label);
        return 'killed';
      }
      // Refused, or without effect where its effect is looked at before it counts as made: nothing was changed.
      const none = fault.kind === 'errno' || (fault.kind === 'kept' && /unbind /.test(label));
      const untouched = at === 1 && none;
      assert.equal(outcome.exitCode, untouched ? 1 : 4, `${label}: ${outcome.message}`);
      assert.ok(!existsSync(Journal.pathIn(state)), `${label}: the journal is gone`);
      this.#assertFirst(tree, label);
      return 'restored';
    });
  }

  /** Lets one change of apply fail, and all that the tool then tries to put the machine back. */
  async #applyAndUndoWith(at: number): Promise<Outcome> {
    const fault = { kind: 'errno', errno: 'EIO' } as const;
    const label = this.#label('apply and undo', this.#case.applies, at, fault);
    const tree = treeOf(this.#case.entries);
    return withState(async (state) => {
      const { exitCode, message } = await this.#apply(tree, state, ({ number }) =>
        number >= at ? fault : undefined,
      );
      if (isSame(settingsOf(tree), this.#case.first)) {
        assert.ok(exitCode === 1 || exitCode === 4, `${label}: ${message}`);
        return 'restored';
      }
      assert.equal(exitCode, 5, `${label}: ${message}`);
      await this.#complete(tree, state, undefined, label);
      return 'exit 5';
    });
  }

  /** Applies, and lets one change of restore go wrong. */
  async #restoreWith(at: number, fault: Fault): Promise<Outcome> {
    const label = this.#label('restore', this.#case.undoes, at, fault);
    const tree = treeOf(this.#case.entries);
    return withState(async (state) => {
      await applyPlan(mockOf(tree), this.#case.plan, {
        inventory: this.#case.inventory,
        stateDirectory: state,
      });
      let stateAtDeath: string | undefined;
      const host = faultyHost(
        mockOf(tree),
        (change) => (change.number === at ? fault : undefined),
        () => {
          stateAtDeath = copyOf(state);
        },
      );
      const { exitCode, message } = await exitOf(restoreHost(host, state));
      if (fault.kind === 'death') {
        await this.#complete(tree, state, stateAtDeath, label);
        return 'killed';
      }
      // Binding a WQ sets its type, whatever was kept of it before (drivers/dma/idxd/device.c).
      if (fault.kind === 'kept' && exitCode === 0) {
        this.#assertFirst(tree, label);
        return 'restored';
      }
      assert.equal(exitCode, 5, `${label}: ${message}`);
      await host.settled();
      await this.#complete(tree, state, undefined, label);
      return 'exit 5';
    });
  }

  async #apply(
    tree: MemoryTree,
    state: string,
    faultOf: (change: AttemptedChange) => Fault | undefined,
  ): Promise<{ exitCode: number; message: string; stateAtDeath: string | undefined }> {
    let stateAtDeath: string | undefined;
    const host = faultyHost(mockOf(tree), faultOf, () => {
      stateAtDeath = copyOf(state);
    });
    const outcome = await exitOf(
      applyPlan(host, this.#case.plan, {
        inventory: this.#case.inventory,
        stateDirectory: state,
      }),
    );
    if (outcome.exitCode === 0)
      assert.ok(isSame(settingsOf(tree), this.#case.applied), 'applied, in spite of a fault');
    return { ...outcome, stateAtDeath };
  }

  /** Restores from the state directory as it was left: at a death by the copy that was taken then. */
  async #complete(
    tree: MemoryTree,
    state: string,
    stateAtDeath: string | undefined,
    label: string,
  ): Promise<void> {
    if (stateAtDeath !== undefined) {
      rmSync(state, { recursive: true });
      renameSync(stateAtDeath, state);
    }
    assert.ok(existsSync(Journal.pathIn(state)), `${label}: there is a journal`);
    const { exitCode, message } = await exitOf(restoreHost(mockOf(tree), state));
    assert.equal(exitCode, 0, `${label}, then restore: ${message}`);
    this.#assertFirst(tree, label);
  }

  #assertFirst(tree: MemoryTree, label: string): void {
    const now = settingsOf(tree);
    if (isSame(now, this.#case.first)) return;
    const paths = new Set([...Object.keys(now), ...Object.keys(this.#case.first)]);
    const wrong = [...paths].filter((path) => now[path] !== this.#case.first[path]);
    assert.fail(
      `${label}: not as before:\n${wrong.map((path) => `${path}: '${now[path]}', was '${this.#case.first[path]}'`).join('\n')}`,
    );
  }

  #label(stage: string, changes: readonly AttemptedChange[], at: number, fault: Fault): string {
    const what = changes[at - 1]?.what ?? '';
    const details = fault.kind === 'errno' ? fault.errno : fault.kind === 'death' ? fault.when : '';
    return `${this.#case.name}, ${stage}, change ${at} (${what}), ${fault.kind} ${details}`.trimEnd();
  }
}

function mockOf(tree: MemoryTree): Host {
  return new MockHost('mock:memory', '/memory', tree);
}

async function exitOf(work: Promise<unknown>): Promise<{ exitCode: number; message: string }> {
  try {
    await work;
    return { exitCode: 0, message: 'no error' };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { exitCode: isLabError(error) ? error.exitCode : -1, message };
  }
}

/** Where journals are: their lines are synced one by one, which costs nothing in memory. */
const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

async function withState<T>(work: (state: string) => Promise<T>): Promise<T> {
  const state = mkdtempSync(join(folder, 'iaa-zswap-faults-'));
  try {
    return await work(state);
  } finally {
    rmSync(state, { recursive: true });
  }
}

function copyOf(state: string): string {
  const copy = mkdtempSync(join(folder, 'iaa-zswap-faults-'));
  cpSync(state, copy, { recursive: true });
  return copy;
}
