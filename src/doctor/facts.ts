/** What the doctor looks at beyond the inventory. */
import type { Finding, Inventory } from '../discover/inventory.js';
import { AccelConfigError } from '../errors.js';
import { type AccelConfig, findAccelConfig } from '../host/accel-config.js';
import type { Host } from '../host/host.js';
import { findKernelSymbols } from '../host/kernel-symbols.js';
import { kernelFile, readFiles } from '../kernel/attribute.js';
import { identityPaths, parseCpuinfo } from '../kernel/identity.js';
import { type IommuMode, iommuMode, readIommuUnits } from '../kernel/iommu.js';
import { type Lockdown, readLockdown } from '../kernel/lockdown.js';
import { readModule } from '../kernel/modules.js';
import { dsaPciId, findPciFunctions, iaaPciId } from '../kernel/pci.js';
import { readProcessNames } from '../kernel/processes.js';

/** Functions that only a kernel which compresses in batches has, by what they are part of. */
export const batchSymbols = { zswap: 'zswap_store_pages', crypto: 'crypto_acomp_batch_compress' } as const;

/** A device as libaccel-config sees it. */
export type AccelDevice = Awaited<ReturnType<AccelConfig['devices']>>[number];

export interface Facts {
  /** Flags of the first processor; undefined when /proc/cpuinfo cannot be read. */
  readonly cpuFlags: ReadonlySet<string> | undefined;
  /** Addresses of the PCI functions that are IAA and DSA devices; undefined without a PCI bus. */
  readonly iaaFunctions: readonly string[] | undefined;
  readonly dsaFunctions: readonly string[] | undefined;
  readonly iommu: IommuMode;
  /** Parameters of the modules by name; undefined for a module that is not there. */
  readonly modules: {
    readonly idxd: Readonly<Record<string, string>> | undefined;
    readonly iaaCrypto: Readonly<Record<string, string>> | undefined;
  };
  readonly lockdown: Lockdown;
  /** Those of batchSymbols that the kernel has; undefined when it does not show its symbols. */
  readonly symbols: ReadonlySet<string> | undefined;
  /**
   * What libaccel-config sees, or why there is none to ask; undefined on a host that is not the running machine.
   */
  readonly accelConfig:
    | { readonly devices: readonly AccelDevice[] }
    | { readonly absent: string }
    | undefined;
  /** Names of the processes, cut after 15 bytes by the kernel. */
  readonly processes: ReadonlySet<string>;
}

/** Gathers the facts; what cannot be read or understood is a finding. */
export async function readFacts(host: Host, inventory: Inventory, findings: Finding[]): Promise<Facts> {
  const { cpuinfo } = await readFiles(host, findings, {
    cpuinfo: kernelFile(identityPaths.cpuinfo, parseCpuinfo),
  });
  const pasid = inventory.iaa?.devices.some(({ pasidEnabled }) => pasidEnabled === true) ?? false;
  return {
    cpuFlags: cpuinfo?.flags,
    iaaFunctions: await findPciFunctions(host, findings, iaaPciId),
    dsaFunctions: await findPciFunctions(host, findings, dsaPciId),
    iommu: iommuMode(await readIommuUnits(host, findings), inventory.kernel.cmdline ?? '', pasid),
    modules: {
      idxd: await readModule(host, findings, 'idxd'),
      iaaCrypto: await readModule(host, findings, 'iaa_crypto'),
    },
    lockdown: await readLockdown(host, findings),
    symbols: await findKernelSymbols(host, Object.values(batchSymbols)),
    accelConfig: await askAccelConfig(host),
    processes: await readProcessNames(host),
  };
}

async function askAccelConfig(host: Host): Promise<Facts['accelConfig']> {
  if (host.name !== 'live') return undefined;
  const library = findAccelConfig(host);
  if ('absent' in library) return library;
  try {
    return { devices: await library.devices() };
  } catch (error) {
    if (!(error instanceof AccelConfigError)) throw error;
    return { absent: error.message };
  }
}
