import { Journal } from '../apply/journal.js';
import { type Restored, restore } from '../apply/restore.js';
import { type HeldState, holdState, refusePending } from '../apply/state.js';
import type { Inventory } from '../discover/inventory.js';
import { FailedRestoredError, InterruptedError, RestoreError } from '../errors.js';
import type { Host } from '../host/host.js';
import { packageVersion } from '../native/load.js';

/** What a caller throws after it has restored: the failure itself when nothing was changed or a signal asked. */
export function afterRestore(error: unknown, journal: Journal, restored: Restored): unknown {
  const changed = restored.undone.length > 0 || journal.entries.some((entry) => entry.done);
  return changed && !(error instanceof InterruptedError) ? new FailedRestoredError(error) : error;
}

/** Starts a journal in a state directory that is held. Throws StateError when one is pending. */
export function beginJournal(held: HeldState, host: Host, inventory: Inventory): Journal {
  refusePending(held.directory);
  const { machineId, bootId } = inventory.kernel;
  held.announce();
  return Journal.create(held.directory, {
    schemaVersion: 1,
    host: host.name,
    machineId,
    bootId,
    startedAt: new Date().toISOString(),
    tool: packageVersion(),
  });
}

/** Restores from a journal and removes it; throws RestoreError, and leaves it pending, when something is left. */
export async function endJournal(
  held: HeldState,
  host: Host,
  journal: Journal,
  cause?: unknown,
): Promise<Restored> {
  const restored = await restore(host, journal);
  if (restored.problems.length > 0) {
    journal.close();
    throw new RestoreError(journal.path, restored.problems, cause);
  }
  journal.remove();
  held.withdraw();
  return restored;
}

/**
 * Holds the host's lock and a fresh journal around `work`, and puts the machine back after it, whatever it does.
 * A failure comes through once the machine is restored (FailedRestoredError when it had been changed); what cannot
 * be restored is a RestoreError.
 */
export async function withJournal<T>(
  host: Host,
  stateDirectory: string,
  inventory: Inventory,
  work: (journal: Journal) => Promise<T>,
): Promise<{ readonly result: T; readonly restored: Restored }> {
  const held = holdState(stateDirectory, host.name === 'live');
  try {
    const journal = beginJournal(held, host, inventory);
    let result: T;
    try {
      result = await work(journal);
    } catch (error) {
      throw afterRestore(error, journal, await endJournal(held, host, journal, error));
    }
    return { result, restored: await endJournal(held, host, journal) };
  } finally {
    held.release();
  }
}
