import { Journal } from '../apply/journal.js';
import { type Restored, type RestoreOptions, restore } from '../apply/restore.js';
import { holdState } from '../apply/state.js';
import { RestoreError, StateError } from '../errors.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';

/** What `restore` found and did. */
export type RestoreOutcome =
  | { readonly state: 'nothing pending' }
  /** The machine has booted since: what we changed is gone with the old kernel. */
  | { readonly state: 'rebooted' }
  | { readonly state: 'discarded' }
  | ({ readonly state: 'restored' } & Restored);

export interface RestoreHostOptions extends Pick<RestoreOptions, 'overwrite'> {
  /** Forget the journal and leave the machine as it is. */
  readonly discard?: boolean;
}

/** Puts a host back from the journal that an earlier run left in a state directory. Throws RestoreError, StateError. */
export async function restoreHost(
  host: Host,
  stateDirectory: string,
  options: RestoreHostOptions = {},
): Promise<RestoreOutcome> {
  const held = holdState(stateDirectory, host.name === 'live');
  try {
    const journal = Journal.open(held.directory);
    if (journal === undefined) return { state: 'nothing pending' };
    const end = <T>(outcome: T): T => {
      journal.remove();
      held.withdraw();
      return outcome;
    };
    if (options.discard === true) return end({ state: 'discarded' });
    const { header, path } = journal;
    // Without a header the process died before its first change.
    if (header.host !== '' && header.host !== host.name) {
      journal.close();
      throw new StateError(`${path}: belongs to host ${header.host}`, {
        hint: `run 'iaa-zswap restore --host ${header.host}'`,
      });
    }
    const [bootId] = await host.tryRead([hostPath('/proc/sys/kernel/random/boot_id')]);
    if (header.bootId !== undefined && bootId?.trim() !== header.bootId) return end({ state: 'rebooted' });
    const restored = await restore(host, journal, options);
    if (restored.problems.length > 0) {
      journal.close();
      throw new RestoreError(path, restored.problems);
    }
    return end({ state: 'restored', ...restored });
  } finally {
    held.release();
  }
}
