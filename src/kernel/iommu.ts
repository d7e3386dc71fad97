/** The Intel IOMMU (drivers/iommu/intel): whether it is on, and in which mode as far as that can be seen. */
import type { Finding } from '../discover/inventory.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { listDirectory } from './attribute.js';

export const iommuUnits = hostPath('/sys/class/iommu');

/**
 * - `unseen`: the kernel shows no IOMMU of any kind.
 * - `off`: no Intel remapping unit is in use.
 * - `legacy`: on, and scalable mode is turned off on the command line.
 * - `scalable`: on, with PASIDs in use or scalable mode asked for on the command line.
 * - `on`: on, in the mode that the kernel was built for.
 */
export type IommuMode = 'unseen' | 'off' | 'legacy' | 'scalable' | 'on';

/** Words after `name=` of the last such parameter, as `on` and `sm_on` of `intel_iommu=on,sm_on`. */
export function parameterWords(cmdline: string, name: string): string[] {
  const last = cmdline
    .split(' ')
    .filter((word) => word.startsWith(`${name}=`))
    .at(-1);
  return last === undefined ? [] : last.slice(name.length + 1).split(',');
}

/** The mode, from the units in use, the command line, and whether an idxd device has a PASID for its users. */
export function iommuMode(
  units: readonly string[] | undefined,
  cmdline: string,
  pasidEnabled: boolean,
): IommuMode {
  if (pasidEnabled) return 'scalable';
  if (units === undefined) return 'unseen';
  if (units.length === 0) return 'off';
  const words = parameterWords(cmdline, 'intel_iommu');
  if (words.includes('sm_off')) return 'legacy';
  return words.includes('sm_on') ? 'scalable' : 'on';
}

/** Names of the Intel remapping units in use, as `dmar0`; `undefined` when the kernel has no list of IOMMUs. */
export async function readIommuUnits(host: Host, findings: Finding[]): Promise<string[] | undefined> {
  const names = await listDirectory(host, findings, iommuUnits);
  return names?.filter((name) => /^dmar\d+$/.test(name));
}
