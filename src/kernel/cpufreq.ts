/**
 * CPU frequency (drivers/cpufreq/cpufreq.c, Documentation/admin-guide/pm/cpufreq.rst): policies of one or more CPUs,
 * and intel_pstate's switch for turbo (drivers/cpufreq/intel_pstate.c).
 */
import type { CpufreqPolicy, CpufreqState, Finding } from '../discover/inventory.js';
import type { CodecName } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { kernelFile, listDirectory, parseCount, readFiles } from './attribute.js';

export const cpufreqDirectory = hostPath('/sys/devices/system/cpu/cpufreq');

/** Path of a policy's attribute; the policy as `policy0`. */
export function policyAttribute(policy: string, name: string): HostPath {
  return hostPath(cpufreqDirectory, policy, name);
}

/** Path of an attribute of intel_pstate, as `no_turbo`. */
export function intelPstateAttribute(name: string): HostPath {
  return hostPath('/sys/devices/system/cpu/intel_pstate', name);
}

/** The attributes of a policy that a plan may set, with their codecs; frequencies in kHz. */
export const policySettings: Readonly<Record<string, CodecName>> = {
  scaling_governor: 'text',
  energy_performance_preference: 'text',
  scaling_min_freq: 'decimal',
  scaling_max_freq: 'decimal',
};

/** Those of intel_pstate. */
export const intelPstateSettings: Readonly<Record<string, CodecName>> = {
  no_turbo: 'oneZero',
  min_perf_pct: 'decimal',
};

/** Words of a list that may end with a blank, as scaling_available_governors does. */
const wordsOf = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');

/**
 * Reads the policies that have a CPU online, by ascending number; `undefined` where the kernel does not scale
 * frequencies, as in most guests. Attributes of the others cannot be read or written (EBUSY).
 */
export async function readCpufreq(host: Host, findings: Finding[]): Promise<CpufreqState | undefined> {
  const names = (await listDirectory(host, findings, cpufreqDirectory))
    ?.filter((name) => /^policy\d+$/.test(name))
    .sort((a, b) => numberOf(a) - numberOf(b));
  if (names === undefined || names.length === 0) return undefined;
  const affected = await host.probe(names.map((name) => policyAttribute(name, 'affected_cpus')));
  const active = names.filter((_, index) => {
    const outcome = affected[index];
    return outcome?.ok === true && wordsOf(outcome.text).length > 0;
  });
  const policies: CpufreqPolicy[] = [];
  for (const name of active) policies.push(await readPolicy(host, findings, name));
  return { policies };
}

async function readPolicy(host: Host, findings: Finding[], name: string): Promise<CpufreqPolicy> {
  const file = (attribute: string) => policyAttribute(name, attribute);
  const values = await readFiles(host, findings, {
    driver: kernelFile(file('scaling_driver'), (text) => text.trim()),
    governors: kernelFile(file('scaling_available_governors'), wordsOf),
    preferences: kernelFile(file('energy_performance_available_preferences'), wordsOf),
    leastKHz: kernelFile(file('cpuinfo_min_freq'), parseCount),
    mostKHz: kernelFile(file('cpuinfo_max_freq'), parseCount),
    baseKHz: kernelFile(file('base_frequency'), parseCount),
  });
  return { name, ...values };
}

function numberOf(policy: string): number {
  return Number(policy.slice('policy'.length));
}
