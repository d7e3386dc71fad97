/**
 * Settings of a machine, as its kernel files name them, to what native/model takes. The driver's mapping of CPUs to
 * work queues is computed here, by src/kernel/iaa-mapping.ts, and goes in as tables (docs/decisions/0009).
 */
import {
  type CpuMapping,
  type MappingVariant,
  mapCpus,
  type PackageSettings,
} from '../kernel/iaa-mapping.js';
import { zsmallocClasses } from '../kernel/zsmalloc.js';
import type { NativeModelConfig, NativeModelMapping } from '../native/surface.js';
import { type ModelMachine, mappedMachine } from './machine.js';

const pageBytes = 4096;

/** A work queue of every device. */
export interface ModelWq {
  readonly size: number;
  readonly priority?: number;
  /** Makes it a shared one. */
  readonly threshold?: number;
}

/** What is set on a machine for a run. Without a limit there is none. */
export interface ModelSettings {
  readonly machine: ModelMachine;
  /** A kernel by its name in src/host/reactions/variant.ts. */
  readonly kernel: string;
  /** Mechanisms of the kernel that are switched. */
  readonly switches?: Readonly<Record<string, boolean>>;
  readonly constants?: Readonly<Record<string, number>>;
  readonly seed?: number;
  readonly compressor: string;
  readonly maxPoolPercent?: number;
  /** Order of the folios that are `always`. */
  readonly folioOrder: number;
  readonly memoryHighBytes?: number;
  readonly memoryMaxBytes?: number;
  readonly wqs: readonly ModelWq[];
  /** How the driver maps; otherwise as the kernel does. */
  readonly mapping?: MappingVariant;
  readonly packageSettings?: PackageSettings;
  readonly syncMode?: NativeModelConfig['iaa']['syncMode'];
  readonly verifyCompress?: boolean;
  readonly content: NativeModelConfig['content']['kind'];
  readonly workload: NativeModelConfig['workload'];
  readonly sampleIntervalNs?: number;
  readonly traceSpans?: number;
}

/** The WQs of all devices by name, in the order of the native configuration. */
function wqNames(machine: ModelMachine, wqs: number): string[][] {
  return Array.from({ length: machine.packages * machine.iaaPerPackage }, (_, device) =>
    Array.from({ length: wqs }, (_, wq) => `wq${2 * device + 1}.${wq}`),
  );
}

/** The tables of a mapping by number: CPUs with the same WQs share one. */
export function nativeMapping(cpus: readonly CpuMapping[], names: readonly string[]): NativeModelMapping {
  const tables: number[][] = [];
  const numbers = new Map<string, number>();
  const tableOf = (wqs: readonly string[]): number => {
    const key = wqs.join(' ');
    const known = numbers.get(key);
    if (known !== undefined) return known;
    numbers.set(key, tables.length);
    tables.push(wqs.map((wq) => names.indexOf(wq)));
    return tables.length - 1;
  };
  return {
    tables,
    cpus: cpus.map(({ compress, decompress }) => ({
      compressTable: tableOf(compress.wqs),
      compressFirst: compress.first,
      decompressTable: tableOf(decompress.wqs),
      decompressFirst: decompress.first,
    })),
  };
}

/** How a kernel maps CPUs to devices (src/kernel/iaa-mapping-variant.ts says which releases do). */
function mappingVariant(kernel: string): MappingVariant {
  if (kernel === 'v9') return 'package';
  if (kernel === 'mainline 7.3') return 'node-spanning';
  return kernel === 'mainline 6.18' ? 'node-first' : 'node-restarting';
}

const pagesOf = (bytes: number | undefined): number | undefined =>
  bytes === undefined ? undefined : Math.floor(bytes / pageBytes);

/** The native configuration of a run. */
export function nativeConfig(settings: ModelSettings): NativeModelConfig {
  const { machine } = settings;
  const cpus = mappedMachine(machine);
  const byDevice = wqNames(machine, settings.wqs.length);
  const mapping = mapCpus(
    settings.mapping ?? mappingVariant(settings.kernel),
    cpus,
    byDevice.map((wqs, device) => ({ name: `iax${2 * device + 1}`, wqs })),
    settings.packageSettings ?? { compWqsPerIaa: 0, distributeComps: true, distributeDecomps: true },
  );
  return {
    seed: settings.seed ?? 1,
    kernel: { name: settings.kernel, switches: settings.switches ?? {} },
    constants: settings.constants ?? {},
    machine: {
      cpus: cpus.possibleCpus,
      memoryPages: Math.floor(machine.memoryBytes / pageBytes),
      swapPages: Math.floor(machine.swapBytes / pageBytes),
      pageCluster: 3,
    },
    iaa: {
      devices: byDevice.map(() => ({ groupEngines: [machine.enginesPerIaa] })),
      wqs: byDevice.flatMap((_, device) =>
        settings.wqs.map(({ size, priority = 10, threshold }) => ({
          device,
          group: 0,
          size,
          priority,
          threshold: threshold ?? 0,
          shared: threshold !== undefined,
          foreign: 0,
        })),
      ),
      verifyCompress: settings.verifyCompress ?? false,
      syncMode: settings.syncMode ?? 'async',
      mappings: [nativeMapping(mapping, byDevice.flat())],
    },
    zswap: {
      enabled: true,
      compressor: settings.compressor,
      maxPoolPercent: settings.maxPoolPercent ?? 20,
      acceptThresholdPercent: 90,
      classes: zsmallocClasses,
    },
    memcg: {
      highPages: pagesOf(settings.memoryHighBytes),
      maxPages: pagesOf(settings.memoryMaxBytes),
      swapMaxPages: undefined,
      zswapMaxPages: undefined,
      zswapWriteback: true,
    },
    thp: { order: settings.folioOrder, defrag: 'no-reclaim' },
    content: {
      kind: settings.content,
      calibrated: true,
      incompressiblePerMillion: 0,
      exact: false,
    },
    workload: settings.workload,
    events: [],
    failures: { zswapEntryPerMillion: 0, zsmallocPerMillion: 0, xarrayPerMillion: 0 },
    sampleIntervalNs: settings.sampleIntervalNs ?? 0,
    traceSpans: settings.traceSpans ?? 0,
  };
}
