/** PCI functions (drivers/pci/pci-sysfs.c), looked at for IAA and DSA devices that idxd does not have. */
import type { Finding } from '../discover/inventory.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { listDirectory } from './attribute.js';

export const pciDevices = hostPath('/sys/bus/pci/devices');

/** Ids of Sapphire Rapids to Granite Rapids (drivers/dma/idxd/registers.h). */
export const iaaPciId = '8086:0cfe';
export const dsaPciId = '8086:0b25';

/** Addresses of the functions with this id, ascending; `undefined` when there is no PCI bus to look at. */
export async function findPciFunctions(
  host: Host,
  findings: Finding[],
  id: string,
): Promise<string[] | undefined> {
  const addresses = await listDirectory(host, findings, pciDevices);
  if (addresses === undefined) return undefined;
  const [vendor, product] = id.split(':');
  const outcomes = await host.probe(
    addresses.flatMap((address) => [
      hostPath(pciDevices, address, 'vendor'),
      hostPath(pciDevices, address, 'device'),
    ]),
  );
  const reads = (index: number, number: string | undefined): boolean => {
    const outcome = outcomes[index];
    return outcome?.ok === true && outcome.text.trimEnd() === `0x${number}`;
  };
  return addresses.filter((_, index) => reads(2 * index, vendor) && reads(2 * index + 1, product));
}
