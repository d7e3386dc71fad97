import { discover } from '../discover/discover.js';
import type { Finding, Inventory } from '../discover/inventory.js';
import type { Host } from '../host/host.js';
import { checkAccelConfig } from './accel-config.js';
import { checkAlgorithm, checkDevices, checkDriverSettings, checkModules } from './devices.js';
import type { Diagnosis, Severity } from './diagnosis.js';
import { type Facts, readFacts } from './facts.js';
import {
  checkBatching,
  checkFaults,
  checkMapping,
  checkRelease,
  checkStatistics,
  checkSwapAndZswap,
} from './kernel.js';
import { checkCgroups, checkDaemons, checkIommu, checkLockdown, checkProcessor } from './platform.js';

/** All that the doctor found on a machine. */
export interface Examination {
  readonly inventory: Inventory;
  /** Worst first; of one severity in the order of the checks. */
  readonly diagnoses: readonly Diagnosis[];
}

const severities: readonly Severity[] = ['problem', 'warning', 'note', 'ok'];

/** Examines a machine; reads only. Throws UsageError when the host is no machine at all. */
export async function examine(host: Host): Promise<Examination> {
  const inventory = await discover(host);
  const findings: Finding[] = [...inventory.findings];
  const facts = await readFacts(host, inventory, findings);
  return { inventory, diagnoses: diagnose(inventory, facts, findings) };
}

/** What facts and findings say; pure. A finding whose path has a diagnosis is left out, since that says more. */
export function diagnose(inventory: Inventory, facts: Facts, findings: readonly Finding[]): Diagnosis[] {
  const diagnoses: Diagnosis[] = [
    ...checkProcessor(facts),
    checkIommu(facts),
    ...checkModules(inventory, facts),
    ...checkDevices(inventory, facts),
    ...checkAccelConfig(inventory, facts),
    ...checkAlgorithm(inventory),
    ...checkDriverSettings(inventory),
    checkBatching(inventory, facts),
    ...checkMapping(inventory),
    ...checkFaults(inventory),
    ...checkRelease(inventory),
    ...checkSwapAndZswap(inventory),
    ...checkStatistics(inventory),
    ...checkLockdown(facts),
    checkCgroups(inventory),
    ...checkDaemons(facts),
  ];
  const covered = new Set(diagnoses.map(({ path }) => path));
  for (const { path, message, mend } of findings) {
    if (covered.has(path)) continue;
    diagnoses.push({
      check: 'files',
      severity: 'warning',
      path,
      message,
      meaning: 'what this file would say is not known, and taken as not offered',
      mend,
    });
  }
  return severities.flatMap((severity) => diagnoses.filter((each) => each.severity === severity));
}
