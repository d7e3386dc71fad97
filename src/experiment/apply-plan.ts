import { apply, type Receipt } from '../apply/apply.js';
import { holdState } from '../apply/state.js';
import type { Inventory } from '../discover/inventory.js';
import type { Host } from '../host/host.js';
import type { Plan } from '../plan/steps.js';
import { afterRestore, attributesOf, beginJournal, endJournal } from './journaled.js';

/**
 * Applies a plan and leaves the machine so, with the journal pending for restore. When a step fails or `signal`
 * aborts, the machine is put back first; then throws what failed (FailedRestoredError when it had been changed, InterruptedError), or
 * RestoreError when something could not be put back.
 */
export async function applyPlan(
  host: Host,
  plan: Plan,
  inventory: Inventory,
  stateDirectory: string,
  signal?: AbortSignal,
): Promise<{ receipts: Receipt[]; journalPath: string }> {
  const held = holdState(stateDirectory, host.name === 'live');
  try {
    const journal = beginJournal(held, host, inventory);
    try {
      const receipts = await apply(host, plan, journal, { signal });
      journal.close();
      return { receipts, journalPath: journal.path };
    } catch (error) {
      throw afterRestore(
        error,
        journal,
        await endJournal(held, host, journal, attributesOf([plan], inventory), error),
      );
    }
  } finally {
    held.release();
  }
}
