import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Finding } from '../../../src/discover/inventory.js';
import { readCpufreq } from '../../../src/kernel/cpufreq.js';
import { MemoryHost } from '../../support/memory-host.js';

const directory = '/sys/devices/system/cpu/cpufreq';

function policy(number: number, change: Readonly<Record<string, string>> = {}): Record<string, string> {
  const files = {
    affected_cpus: `${number}\n`,
    scaling_driver: 'intel_pstate\n',
    scaling_available_governors: 'performance powersave \n',
    energy_performance_available_preferences: 'default performance balance_performance \n',
    cpuinfo_min_freq: '800000\n',
    cpuinfo_max_freq: '3800000\n',
    base_frequency: '2000000\n',
    ...change,
  };
  return Object.fromEntries(
    Object.entries(files).map(([name, text]) => [`${directory}/policy${number}/${name}`, text]),
  );
}

describe('readCpufreq', () => {
  it('reads each policy, by number', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({ ...policy(10), ...policy(2) });
    const state = await readCpufreq(host, findings);
    assert.deepEqual(state?.policies[0], {
      name: 'policy2',
      driver: 'intel_pstate',
      governors: ['performance', 'powersave'],
      preferences: ['default', 'performance', 'balance_performance'],
      leastKHz: 800_000,
      mostKHz: 3_800_000,
      baseKHz: 2_000_000,
    });
    assert.deepEqual(
      state.policies.map(({ name }) => name),
      ['policy2', 'policy10'],
    );
    assert.deepEqual(findings, []);
  });

  it('leaves out a policy without a CPU online, whose files the kernel refuses', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({ ...policy(0), ...policy(1), ...policy(2, { affected_cpus: '\n' }) });
    host.failNext('read', `${directory}/policy1/affected_cpus`, 'EBUSY');
    const state = await readCpufreq(host, findings);
    assert.deepEqual(
      state?.policies.map(({ name }) => name),
      ['policy0'],
    );
    assert.deepEqual(findings, []);
  });

  it('is undefined where nothing is scaled', async () => {
    assert.equal(await readCpufreq(new MemoryHost(), []), undefined);
    const host = new MemoryHost();
    host.directories.add(directory);
    assert.equal(await readCpufreq(host, []), undefined);
  });

  it('says of a malformed number where it is', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost(policy(0, { cpuinfo_max_freq: 'fast\n' }));
    const state = await readCpufreq(host, findings);
    assert.equal(state?.policies[0]?.mostKHz, undefined);
    assert.deepEqual(
      findings.map(({ path }) => path),
      [`${directory}/policy0/cpuinfo_max_freq`],
    );
  });

  it('takes what a driver without preferences and base frequency offers', async () => {
    const host = new MemoryHost(policy(0));
    for (const name of ['energy_performance_available_preferences', 'base_frequency']) {
      host.files.delete(`${directory}/policy0/${name}`);
    }
    const [only] = (await readCpufreq(host, []))?.policies ?? [];
    assert.equal(only?.preferences, undefined);
    assert.equal(only?.baseKHz, undefined);
  });
});
