/** Machines that the model can be: as much of them as the kernel's mechanisms look at; files of them in machines/. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { ExperimentError, UsageError } from '../errors.js';
import { count, sizeBytes } from '../experiment/fields.js';
import { parsePage, readPage } from '../experiment/page.js';
import { type MachineKernel, machineReleases, machineTree } from '../host/machine-tree.js';
import type { MemoryTree } from '../host/memory-tree.js';
import type { MappedMachine } from '../kernel/iaa-mapping.js';
import { modelFlag } from '../kernel/identity.js';
import { packageRoot } from '../native/load.js';

/**
 * Packages, nodes and cores, numbered as firmware does it: the cores of all packages one after another, then their
 * second threads in the same order.
 */
export interface ModelMachine {
  readonly name: string;
  /** `model name` of its processors. */
  readonly cpu: string;
  readonly packages: number;
  readonly nodesPerPackage: number;
  readonly coresPerPackage: number;
  readonly threadsPerCore: number;
  /** IAA devices, in the order in which they are bound; the first belong to the first package. */
  readonly iaaPerPackage: number;
  readonly enginesPerIaa: number;
  readonly memoryBytes: number;
  readonly swapBytes: number;
  /** The kernel that it boots. */
  readonly kernel: MachineKernel;
}

/** Kernels by name, as `v9` or `mainline 6.18`. */
const kernels = Object.keys(machineReleases) as [MachineKernel, ...MachineKernel[]];

/** MAX_CPUS of x86 (arch/x86/Kconfig NR_CPUS_RANGE_END), which native/model keeps to. */
const mostCpus = 8192;

const kibibytes = sizeBytes.refine((bytes) => bytes % 1024n === 0n && bytes <= 2n ** 52n, {
  message: 'expected a multiple of 1024 bytes, at most 4096t',
});

const machineSchema = z
  .strictObject({
    name: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,31}$/, 'expected a short name of a-z, 0-9, . _ -'),
    /** `model name` of /proc/cpuinfo. */
    cpu: z.string().regex(/^[\x20-\x7e]{1,64}$/, 'expected at most 64 characters of ASCII'),
    packages: count(1, 16),
    nodes_per_package: count(1, 16).default(1),
    cores_per_package: count(1, 512),
    threads_per_core: count(1, 2).default(2),
    iaa_per_package: count(0, 16).default(0),
    engines_per_iaa: count(1, 8).default(8),
    memory: kibibytes,
    /** Size of its one swap partition; not given: none. */
    swap: kibibytes.optional(),
    kernel: z.enum(kernels),
  })
  .refine(({ nodes_per_package: nodes, cores_per_package: cores }) => cores % nodes === 0, {
    path: ['nodes_per_package'],
    message: 'must divide cores_per_package',
  })
  .refine((machine) => machine.packages * machine.cores_per_package * machine.threads_per_core <= mostCpus, {
    path: ['cores_per_package'],
    message: `more than ${mostCpus} CPUs`,
  });

/** Checks the text of a machine file; `file` is for messages. Throws ExperimentError. */
export function parseMachine(text: string, file: string): ModelMachine {
  const page = parsePage(text, file, machineSchema);
  const { success, data, error } = machineSchema.safeParse(page.value);
  if (!success) {
    const issues = error.issues.flatMap((issue) => page.issues(issue));
    issues.sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
    throw new ExperimentError(file, issues, { hint: 'docs/experiments.md#machines lists every key' });
  }
  return {
    name: data.name,
    cpu: data.cpu,
    packages: data.packages,
    nodesPerPackage: data.nodes_per_package,
    coresPerPackage: data.cores_per_package,
    threadsPerCore: data.threads_per_core,
    iaaPerPackage: data.iaa_per_package,
    enginesPerIaa: data.engines_per_iaa,
    memoryBytes: Number(data.memory),
    swapBytes: Number(data.swap ?? 0n),
    kernel: data.kernel,
  };
}

const directory = (): string => join(packageRoot(), 'machines');

/** The machines that the package brings. */
export function shippedMachines(): string[] {
  return readdirSync(directory())
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => name.slice(0, -'.yaml'.length))
    .sort();
}

/** A machine that the package brings. Throws UsageError for another name. */
export function shippedMachine(name: string): ModelMachine {
  const known = shippedMachines();
  if (!known.includes(name)) {
    throw new UsageError(`no such machine: ${JSON.stringify(name)}`, {
      hint: `there is ${known.join(', ')}; or name a file, as model:./mine.yaml`,
    });
  }
  const file = join(directory(), `${name}.yaml`);
  return parseMachine(readFileSync(file, 'utf8'), file);
}

/** A machine by its name, or from a file (`PATH.yaml`). Throws UsageError, ExperimentError. */
export async function readMachine(word: string): Promise<ModelMachine> {
  if (!word.endsWith('.yaml')) return shippedMachine(word);
  const file = resolve(word);
  return parseMachine(await readPage(file, 'a machine file'), file);
}

/**
 * A machine's kernel files as they are after it has booted a kernel. Its id is the same for all machines of the same
 * figures; `bootId` as a UUID.
 */
export function bootedTree(machine: ModelMachine, kernel: MachineKernel, bootId: string): MemoryTree {
  const { kernel: _, ...figures } = machine;
  return machineTree({
    kernel,
    packages: machine.packages,
    nodesPerPackage: machine.nodesPerPackage,
    coresPerPackage: machine.coresPerPackage,
    threadsPerCore: machine.threadsPerCore,
    memoryKiB: machine.memoryBytes / 1024,
    swapKiB: machine.swapBytes / 1024,
    iaaPerPackage: machine.iaaPerPackage,
    enginesPerIaa: machine.enginesPerIaa,
    iaaStatistics: true,
    cpuModel: machine.cpu,
    cpuFlags: [modelFlag],
    machineId: createHash('sha256').update(JSON.stringify(figures)).digest('hex').slice(0, 32),
    bootId,
  });
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

/** The server of the cover letter. */
export const spr2s = shippedMachine('spr-2s');
/** 384 CPUs, three nodes in each of two packages. */
export const gnr2s6n = shippedMachine('gnr-2s-6n');
