import type { Inventory } from '../discover/inventory.js';
import type { HostPath } from '../host/path.js';
import { iaaAttribute } from '../kernel/iaa-crypto.js';
import { compareVersions, parseRelease } from '../kernel/release.js';

/** A value that the kernel takes without an error and keeps another one for. */
export interface KeptValue {
  /** What the attribute reads then. */
  readonly reads: string;
  readonly why: string;
}

/** What is known to be kept otherwise on this machine when `value` is written. */
export function keptInstead(inventory: Inventory, path: HostPath, value: string): KeptValue | undefined {
  return rows.find((row) => row.path === path && row.value === value && row.holds(inventory));
}

const rows: readonly (KeptValue & {
  readonly path: HostPath;
  readonly value: string;
  holds(inventory: Inventory): boolean;
})[] = [
  {
    path: iaaAttribute('sync_mode'),
    value: 'async',
    reads: 'sync',
    // Commit 4ebd9a5ca478 (6.13); the batching patches bring true async and, with it, attributes of their own.
    why: 'this kernel takes async for sync: nothing polls for completions in its asynchronous mode',
    holds({ kernel, iaa }) {
      const version = parseRelease(kernel.release ?? '');
      const batches = Object.keys(iaa?.driverAttributes ?? {}).some((name) => /^g_|^distribute_/.test(name));
      return !batches && version !== undefined && compareVersions(version, [6, 13, 0]) >= 0;
    },
  },
];
