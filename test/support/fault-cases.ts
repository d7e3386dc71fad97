import { buildMachine, type MachineOptions } from '../../src/testing/index.js';
import type { FaultCase } from './fault-points.js';

/** Two IAA devices and a disk for swap: as small as shows that one device is done before the other. */
const small: MachineOptions = {
  packages: 1,
  coresPerPackage: 4,
  threadsPerCore: 1,
  iaaPerPackage: 2,
  memoryKiB: 16 * 1024 * 1024,
  dsa: false,
  files: { '/sys/class/block/nvme1n1/size': '2097152\n' },
};

const idxd = '/sys/bus/dsa/drivers/idxd';
const iax0 = '/sys/bus/dsa/devices/iax0';

function experiment(more: string): string {
  return `name: faults
matrix: { compressor: [deflate-iaa, zstd], folio: [64kB] }
workload: { usemem: { processes: 1, size: 64M } }
${more}`;
}

/** The plans that faults are tried with: each has something that the others have not. */
export const faultCases: readonly FaultCase[] = [
  {
    name: 'two WQs a device, mainline 7.3',
    machine: buildMachine(small),
    experiment: experiment(
      'iaa: { wqs: [{ size: 64, name: a }, { size: 64, name: b }], driver: { verify_compress: false } }\n',
    ),
  },
  {
    name: "the letter's attributes on its kernel, with a swap area",
    machine: buildMachine({ ...small, kernel: 'v9' }),
    experiment: experiment(`iaa:
  wqs: [{ size: 64, name: comp }, { size: 64, name: decomp, group_id: 1 }]
  groups: [{ engines: 0-3 }, { engines: 4-7 }]
  driver: { g_comp_wqs_per_iaa: 1, distribute_comps: true, sync_mode: async_irq }
swap: { device: /dev/nvme1n1 }
vm: { page-cluster: 0 }
cgroup: { memory.high: 32M }
`),
  },
  {
    name: 'as booted but for the CPUs, mainline 6.18',
    machine: buildMachine({ ...small, coresPerPackage: 2, kernel: 'mainline 6.18', cpufreq: true }),
    experiment: experiment(`iaa: {}
cpu:
  scaling_governor: performance
  scaling_min_freq_khz: 2500000
  scaling_max_freq_khz: 2500000
  no_turbo: true
`),
  },
  {
    name: 'one of two devices, half configured, mainline 6.12',
    machine: buildMachine({
      ...small,
      kernel: 'mainline 6.12',
      changes: [
        { write: `${idxd}/unbind`, text: 'iax0' },
        { write: `${iax0}/wq0.3/mode`, text: 'dedicated' },
        { write: `${iax0}/wq0.3/size`, text: '32' },
        { write: `${iax0}/engine0.0/group_id`, text: '2' },
        { write: '/sys/module/zswap/parameters/enabled', text: 'Y' },
        { write: '/sys/module/zswap/parameters/compressor', text: 'deflate-iaa' },
      ],
    }),
    experiment: experiment('iaa: { devices: [iax0], wqs: [{ size: 128 }] }\n'),
    options: { take: true },
  },
];
