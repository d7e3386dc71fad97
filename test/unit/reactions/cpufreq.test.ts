import type { MachineOptions } from '../../../src/testing/index.js';
import { testWriteRules } from '../../support/mocks.js';

const machine: MachineOptions = { cpufreq: true };
const policy = '/sys/devices/system/cpu/cpufreq/policy0';
const performance = { write: `${policy}/scaling_governor`, text: 'performance' };

testWriteRules('CPU frequency', [
  {
    rule: 'governor: performance takes the preference along',
    machine,
    write: `${policy}/scaling_governor`,
    text: 'performance\n',
    reads: {
      [`${policy}/scaling_governor`]: 'performance\n',
      [`${policy}/energy_performance_preference`]: 'performance\n',
      '/sys/devices/system/cpu/cpufreq/policy1/scaling_governor': 'powersave\n',
    },
  },
  {
    rule: 'governor: back from performance the preference is the default',
    machine,
    given: [performance],
    write: `${policy}/scaling_governor`,
    text: 'powersave',
    reads: { [`${policy}/energy_performance_preference`]: 'balance_performance\n' },
  },
  {
    rule: 'governor: EINVAL for another',
    machine,
    write: `${policy}/scaling_governor`,
    text: 'ondemand',
    errno: 'EINVAL',
  },
  {
    rule: 'preference: EBUSY under performance',
    machine,
    given: [performance],
    write: `${policy}/energy_performance_preference`,
    text: 'balance_power',
    errno: 'EBUSY',
  },
  {
    rule: 'preference: performance is fine under performance',
    machine,
    given: [performance],
    write: `${policy}/energy_performance_preference`,
    text: 'performance',
  },
  {
    rule: 'preference: EINVAL for another word',
    machine,
    write: `${policy}/energy_performance_preference`,
    text: 'fast',
    errno: 'EINVAL',
  },
  {
    rule: 'frequency: brought into the range of the processor',
    machine,
    write: `${policy}/scaling_max_freq`,
    text: '9000000',
    reads: { [`${policy}/scaling_max_freq`]: '3800000\n' },
  },
  {
    rule: 'frequency: a lower limit gives way to the upper one',
    machine,
    given: [{ write: `${policy}/scaling_max_freq`, text: '1000000' }],
    write: `${policy}/scaling_min_freq`,
    text: '2500000',
    reads: { [`${policy}/scaling_min_freq`]: '1000000\n', [`${policy}/scaling_max_freq`]: '1000000\n' },
  },
  {
    rule: 'frequency: an upper limit takes the lower one down',
    machine,
    given: [{ write: `${policy}/scaling_min_freq`, text: '2500000' }],
    write: `${policy}/scaling_max_freq`,
    text: '1000000',
    reads: { [`${policy}/scaling_min_freq`]: '1000000\n', [`${policy}/scaling_max_freq`]: '1000000\n' },
  },
  {
    rule: 'frequency: EINVAL for a word',
    machine,
    write: `${policy}/scaling_min_freq`,
    text: 'low',
    errno: 'EINVAL',
  },
  {
    rule: 'frequency: limits of the hardware are not written',
    machine,
    write: `${policy}/cpuinfo_max_freq`,
    text: '1',
    errno: 'EACCES',
  },
  {
    rule: 'no_turbo',
    machine,
    write: '/sys/devices/system/cpu/intel_pstate/no_turbo',
    text: '1',
    reads: { '/sys/devices/system/cpu/intel_pstate/no_turbo': '1\n' },
  },
  {
    rule: 'no_turbo: EINVAL for a word',
    machine,
    write: '/sys/devices/system/cpu/intel_pstate/no_turbo',
    text: 'on',
    errno: 'EINVAL',
  },
]);
