import { apply, type Receipt } from '../apply/apply.js';
import { holdState } from '../apply/state.js';
import type { Inventory } from '../discover/inventory.js';
import type { Host } from '../host/host.js';
import type { Plan } from '../plan/steps.js';
import { interruption } from './interruption.js';
import { afterRestore, attributesOf, beginJournal, endJournal } from './journaled.js';
import { type RestoreOutcome, restoreHost } from './restore-host.js';

export interface ApplyPlanOptions {
  /** The machine as the plan saw it. */
  readonly inventory: Inventory;
  /** Where journal and lock are kept. */
  readonly stateDirectory: string;
  /** Aborts: no further step begins, and the machine is put back. */
  readonly signal?: AbortSignal | undefined;
}

/** A machine that a plan was applied to. `await using` puts it back at the end of its block, whatever happens there. */
export class AppliedPlan implements AsyncDisposable {
  readonly receipts: readonly Receipt[];
  /** The journal, pending until the machine is put back: by this, or by restore of another process. */
  readonly journalPath: string;
  readonly #host: Host;
  readonly #stateDirectory: string;
  #left = false;

  constructor(host: Host, stateDirectory: string, receipts: readonly Receipt[], journalPath: string) {
    this.#host = host;
    this.#stateDirectory = stateDirectory;
    this.receipts = receipts;
    this.journalPath = journalPath;
  }

  /** Puts the machine back. Throws RestoreError, with all that could not be. */
  async restore(): Promise<RestoreOutcome> {
    const outcome = await restoreHost(this.#host, this.#stateDirectory);
    this.#left = true;
    return outcome;
  }

  /** Leaves the machine as it is for a later restore. */
  leave(): void {
    this.#left = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#left) await this.restore();
  }
}

/**
 * Applies a plan and leaves the machine so, with the journal pending. When a step fails or `signal` aborts, the machine
 * is put back first; then throws what failed (FailedRestoredError when it had been changed, InterruptedError), or RestoreError
 * when something could not be put back.
 */
export async function applyPlan(
  host: Host,
  plan: Plan,
  { inventory, stateDirectory, signal }: ApplyPlanOptions,
): Promise<AppliedPlan> {
  const held = holdState(stateDirectory, host.name === 'live');
  try {
    const journal = beginJournal(held, host, inventory);
    try {
      const receipts = await apply(host, plan, journal, { signal: signal && interruption(signal) });
      journal.close();
      return new AppliedPlan(host, stateDirectory, receipts, journal.path);
    } catch (error) {
      const before = attributesOf([plan], inventory);
      throw afterRestore(error, journal, await endJournal(held, host, journal, before, error));
    }
  } finally {
    held.release();
  }
}
