/** A machine that the model can be: as much of one as the kernel's mechanisms look at. */
import type { MappedMachine } from '../kernel/iaa-mapping.js';

/**
 * Packages, nodes and cores, numbered as firmware does it: the cores of all packages one after another, then their
 * second threads in the same order.
 */
export interface ModelMachine {
  readonly name: string;
  readonly packages: number;
  readonly nodesPerPackage: number;
  readonly coresPerPackage: number;
  readonly threadsPerCore: number;
  /** IAA devices, in the order in which they are bound; the first belong to the first package. */
  readonly iaaPerPackage: number;
  readonly enginesPerIaa: number;
  readonly memoryBytes: number;
  readonly swapBytes: number;
}

/** The CPUs as the iaa_crypto driver sees them. */
export function mappedMachine(machine: ModelMachine): MappedMachine {
  const cores = machine.packages * machine.coresPerPackage;
  const coresPerNode = machine.coresPerPackage / machine.nodesPerPackage;
  const possibleCpus = cores * machine.threadsPerCore;
  const nodes = Array.from({ length: machine.packages * machine.nodesPerPackage }, (): number[] => []);
  const packageOf: Record<number, number> = {};
  for (let cpu = 0; cpu < possibleCpus; cpu++) {
    const core = cpu % cores;
    packageOf[cpu] = Math.floor(core / machine.coresPerPackage);
    nodes[Math.floor(core / coresPerNode)]?.push(cpu);
  }
  return {
    possibleCpus,
    nodes,
    packageOf,
    packages: machine.packages,
    coresPerPackage: machine.coresPerPackage,
  };
}

const gib = 2 ** 30;

/** The server of the cover letter: Sapphire Rapids, two sockets. */
export const spr2s: ModelMachine = {
  name: 'spr-2s',
  packages: 2,
  nodesPerPackage: 1,
  coresPerPackage: 56,
  threadsPerCore: 2,
  iaaPerPackage: 4,
  enginesPerIaa: 8,
  memoryBytes: 503 * gib,
  swapBytes: 525 * gib,
};

/** Granite Rapids with three nodes in each of two packages, 384 CPUs (the letter's 140 MiB of tables). */
export const gnr2s6n: ModelMachine = {
  name: 'gnr-2s-6n',
  packages: 2,
  nodesPerPackage: 3,
  coresPerPackage: 96,
  threadsPerCore: 2,
  iaaPerPackage: 4,
  enginesPerIaa: 8,
  memoryBytes: 1024 * gib,
  swapBytes: 1024 * gib,
};
