import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { discover } from '../../../src/discover/discover.js';
import { PlanError, type PlanIssue } from '../../../src/errors.js';
import { cellsOf } from '../../../src/experiment/cells.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import { plan } from '../../../src/plan/plan.js';
import type { Plan } from '../../../src/plan/steps.js';
import { buildMachine, type MachineOptions, mockHost } from '../../../src/testing/index.js';

const machine: MachineOptions = {
  packages: 1,
  coresPerPackage: 2,
  threadsPerCore: 1,
  iaaPerPackage: 0,
  memoryKiB: 4 * 1024 * 1024,
  cpufreq: true,
};
const policy0 = '/sys/devices/system/cpu/cpufreq/policy0';
const noTurbo = '/sys/devices/system/cpu/intel_pstate/no_turbo';

async function planOf(cpu: string, options: MachineOptions = {}, more = ''): Promise<Plan> {
  const text = `name: x
matrix: { compressor: [lzo], folio: [64kB] }
cpu: ${cpu}
${more}
workload: { usemem: { processes: 1, size: 64M } }
`;
  const experiment = parseExperiment(text, 'x.yaml');
  const [cell] = cellsOf(experiment);
  assert.ok(cell);
  return plan(await discover(mockHost(buildMachine({ ...machine, ...options }))), experiment, cell);
}

async function issuesOf(cpu: string, options: MachineOptions = {}): Promise<readonly PlanIssue[]> {
  try {
    await planOf(cpu, options);
  } catch (error) {
    assert.ok(error instanceof PlanError);
    return error.issues;
  }
  return assert.fail('the plan was made');
}

/** The steps of the first policy and of intel_pstate, as `key value`, or `keep key`. */
function cpuSteps({ steps }: Plan): string[] {
  return steps.flatMap((step) => {
    if (!step.id.startsWith('cpu.') || /:policy[^0]/.test(step.id)) return [];
    const key = step.id.slice('cpu.'.length).replace(':policy0', '');
    return step.kind === 'attribute' ? [`${key} ${step.value}`] : [`${step.kind} ${key}`];
  });
}

describe('the plan for CPU frequency', () => {
  it('sets governor, preference, turbo and frequencies in the order of the drivers, and keeps what they change', async () => {
    const all =
      '{ scaling_max_freq_khz: 2000000, scaling_min_freq_khz: 2000000, no_turbo: true, energy_performance_preference: performance, scaling_governor: performance }';
    assert.deepEqual(cpuSteps(await planOf(all)), [
      'keep energy_performance_preference',
      'scaling_governor performance',
      'energy_performance_preference performance',
      'keep scaling_max_freq_khz',
      'no_turbo 1',
      'scaling_min_freq_khz 2000000',
      'scaling_max_freq_khz 2000000',
    ]);
  });

  it('sets every policy that is online', async () => {
    const { steps } = await planOf('{ scaling_governor: performance }', { offlineCpus: [1] });
    assert.deepEqual(
      steps.flatMap(({ id }) => (id.startsWith('cpu.scaling_governor') ? [id] : [])),
      ['cpu.scaling_governor:policy0'],
    );
  });

  it('raises the upper limit first where the lower one would pass it', async () => {
    const changes = [
      { write: `${policy0}/scaling_min_freq`, text: '800000' },
      { write: `${policy0}/scaling_max_freq`, text: '1000000' },
    ];
    const steps = cpuSteps(
      await planOf('{ scaling_min_freq_khz: 2500000, scaling_max_freq_khz: 2500000 }', { changes }),
    );
    assert.deepEqual(steps, ['scaling_max_freq_khz 2500000', 'scaling_min_freq_khz 2500000']);
  });

  it('writes nothing that is so already', async () => {
    assert.deepEqual(
      cpuSteps(
        await planOf('{ scaling_governor: powersave, scaling_max_freq_khz: 3800000, no_turbo: false }'),
      ),
      [],
    );
  });

  for (const [name, cpu, path, message, options] of [
    [
      'a governor that is not here',
      '{ scaling_governor: ondemand }',
      `${policy0}/scaling_governor`,
      /no governor ondemand here; there are performance, powersave \(and so for 1 more policies\)/,
    ],
    [
      'a preference that is not here',
      '{ energy_performance_preference: fast }',
      `${policy0}/energy_performance_preference`,
      /no preference fast here; there are default, performance/,
    ],
    [
      'another preference under performance',
      '{ scaling_governor: performance, energy_performance_preference: power }',
      `${policy0}/energy_performance_preference`,
      /takes no preference but performance/,
    ],
    [
      'a frequency out of range',
      '{ scaling_max_freq_khz: 9000000 }',
      `${policy0}/scaling_max_freq`,
      /is 800000 to 3800000 kHz here, not 9000000/,
    ],
    [
      'a frequency that turbo alone reaches',
      '{ no_turbo: true, scaling_max_freq_khz: 3000000 }',
      `${policy0}/scaling_max_freq`,
      /is 800000 to 2000000 kHz here/,
      { files: { [`${policy0}/base_frequency`]: '2000000\n' } },
    ],
    [
      'a lower limit above the upper one',
      '{ scaling_max_freq_khz: 900000, scaling_min_freq_khz: 1000000 }',
      `${policy0}/scaling_min_freq`,
      /lower limit would be 1000000 kHz and the upper one 900000/,
    ],
    [
      'a machine that does not scale',
      '{ scaling_governor: performance }',
      '/sys/devices/system/cpu/cpufreq',
      /does not offer it/,
      { cpufreq: false },
    ],
    [
      'a machine without intel_pstate',
      '{ no_turbo: true }',
      noTurbo,
      /does not offer it/,
      { cpufreq: false },
    ],
  ] as const) {
    it(`refuses ${name}`, async () => {
      const [issue, ...more] = await issuesOf(cpu, options ?? {});
      assert.deepEqual(more, []);
      assert.equal(issue?.path, path);
      assert.match(issue.message, message);
    });
  }

  it('leaves out what is optional, and says so once', async () => {
    const made = await planOf(
      '{ scaling_governor: performance }',
      { cpufreq: false },
      'optional: [cpu.scaling_governor]',
    );
    assert.deepEqual(cpuSteps(made), []);
    assert.deepEqual(made.warnings, [
      'cpu.scaling_governor is left out: this machine has no /sys/devices/system/cpu/cpufreq',
    ]);
  });
});
