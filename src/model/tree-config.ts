/** What native/model takes, from a machine's kernel files as they are: whoever set them, and however. */
import { mappingOf } from '../discover/iaa-mapping.js';
import type { IdxdWq, Inventory } from '../discover/inventory.js';
import { RequirementError } from '../errors.js';
import type { ModelRun, OutsideEvent } from '../host/model-control.js';
import { iaaDriver } from '../kernel/iaa-crypto.js';
import { type MappedDevice, mapCpus } from '../kernel/iaa-mapping.js';
import { vmSysctl } from '../kernel/sysctl.js';
import { zsmallocClasses } from '../kernel/zsmalloc.js';
import type { NativeModelConfig, NativeModelEvent, NativeModelMapping } from '../native/surface.js';
import type { WqPlace } from './counter-files.js';
import { type ModelMachine, mappedMachine } from './machine.js';
import { nativeMapping } from './native-config.js';
import type { ModelledProgram } from './workloads.js';

const pageBytes = 4096;

/** Limits of the workload's cgroup as its files have them. */
export interface CgroupTexts {
  readonly high: string;
  readonly max: string;
  readonly swapMax: string;
  readonly zswapMax: string;
  readonly writeback: string;
}

export interface TreeConfig {
  readonly config: NativeModelConfig;
  /** The folio size that is enabled, as `64kB`. */
  readonly folio: string;
  /** Where the statistics have each WQ. */
  readonly wqs: readonly WqPlace[];
}

/** All that decides how a run goes. */
export interface ConfigSources {
  readonly machine: ModelMachine;
  readonly kernel: string;
  readonly inventory: Inventory;
  readonly cgroup: CgroupTexts;
  readonly program: Extract<ModelledProgram, { kind: 'model' }>;
  readonly run: ModelRun;
  readonly sampleIntervalNs: number;
}

/** The native configuration. Throws RequirementError for events that name what is not there. */
export function treeConfig(sources: ConfigSources): TreeConfig {
  const { kernel, inventory, program, run } = sources;
  const { zswap, thp } = inventory;
  const bound = inventory.iaa?.wqs.filter(({ driver }) => driver === iaaDriver) ?? [];
  const devices = inventory.iaa?.devices ?? [];
  const groups = groupsOf(inventory);
  const mappings = new Mappings(sources, bound);
  const size = [...(thp?.sizes ?? [])]
    .reverse()
    .find(({ enabled }) => enabled === 'always' || (enabled === 'inherit' && thp?.enabled === 'always'));
  return {
    config: {
      seed: run.seed,
      kernel: { name: kernel, switches: run.switches },
      constants: run.constants,
      machine: {
        cpus: inventory.cpu.possible.length,
        memoryPages: Math.floor((inventory.memory?.totalBytes ?? 0) / pageBytes),
        swapPages: inventory.swap.reduce((sum, { sizeKiB }) => sum + Math.floor(sizeKiB / 4), 0),
        pageCluster: Number(inventory.attributes[vmSysctl('page-cluster')] ?? 3),
      },
      iaa: {
        devices: devices.map(({ name }) => ({ groupEngines: groups(name) })),
        wqs: bound.map((wq) => ({
          device: devices.findIndex(({ name }) => name === wq.device),
          group: wq.groupId ?? 0,
          size: wq.size ?? 0,
          priority: wq.priority ?? 0,
          threshold: wq.mode === 'shared' ? (wq.threshold ?? 0) : 0,
          shared: wq.mode === 'shared',
          foreign: 0,
        })),
        verifyCompress: inventory.iaa?.driverAttributes?.['verify_compress'] === '1',
        syncMode: syncModeOf(inventory.iaa?.driverAttributes?.['sync_mode']),
        mappings: mappings.all,
      },
      zswap: {
        enabled: zswap?.enabled === true,
        compressor: zswap?.compressor ?? '',
        maxPoolPercent: Number(zswap?.parameters['max_pool_percent'] ?? 20),
        acceptThresholdPercent: Number(zswap?.parameters['accept_threshold_percent'] ?? 90),
        classes: zsmallocClasses,
      },
      memcg: {
        highPages: limitOf(sources.cgroup.high),
        maxPages: limitOf(sources.cgroup.max),
        swapMaxPages: limitOf(sources.cgroup.swapMax),
        zswapMaxPages: limitOf(sources.cgroup.zswapMax),
        zswapWriteback: sources.cgroup.writeback.trim() !== '0',
      },
      thp: {
        order: size === undefined ? 0 : Math.log2(size.bytes / pageBytes),
        defrag: defragOf(thp?.defrag),
      },
      content: {
        ...program.content,
        calibrated: run.calibrated,
        incompressiblePerMillion: run.incompressiblePerMillion,
        exact: run.exact,
      },
      workload: program.workload,
      events: [
        // A CPU that is possible and not online is so from the begin.
        ...inventory.cpu.possible
          .filter((cpu) => !inventory.cpu.online.includes(cpu))
          .map((cpu): NativeModelEvent => ({ timeNs: 0, kind: 'cpu-offline', subject: cpu })),
        ...run.events
          .toSorted((a, b) => a.atNs - b.atNs)
          .map((event) => nativeEvent(event, sources, mappings)),
      ],
      failures: { zswapEntryPerMillion: 0, zsmallocPerMillion: 0, xarrayPerMillion: 0 },
      sampleIntervalNs: sources.sampleIntervalNs,
      traceSpans: 0,
    },
    folio: size?.name ?? '4kB',
    wqs: bound.map(({ device }, at) => ({
      device: Number(device.slice('iax'.length)),
      index: bound.slice(0, at).filter((other) => other.device === device).length,
    })),
  };
}

/** The engines of each group of a device. */
function groupsOf({ iaa }: Inventory): (device: string) => number[] {
  return (device) => {
    const engines = iaa?.engines.filter((engine) => engine.device === device) ?? [];
    const groups = Math.max(1, ...engines.map(({ groupId }) => (groupId ?? -1) + 1));
    return Array.from(
      { length: groups },
      (_, group) => engines.filter(({ groupId }) => groupId === group).length,
    );
  };
}

/** The driver's tables: those of the begin, and those that unbinding and binding lead to. */
class Mappings {
  readonly all: NativeModelMapping[] = [];
  readonly #sources: ConfigSources;
  readonly #names: readonly string[];
  readonly #wqs: readonly IdxdWq[];
  #bound: ReadonlySet<string>;

  constructor(sources: ConfigSources, wqs: readonly IdxdWq[]) {
    this.#sources = sources;
    this.#wqs = wqs;
    this.#names = wqs.map(({ name }) => name);
    this.#bound = new Set(this.#names);
    const { devices = [] } = mappingOf(sources.inventory) ?? {};
    this.#add(devices);
  }

  /** The place of a WQ, and that of the tables once it is bound or not. */
  change(name: string, bind: boolean): { subject: number; value: number } {
    const subject = this.#names.indexOf(name);
    if (subject === -1) throw noSuch(`WQ ${name} that is bound to the driver when the workload starts`);
    const bound = new Set(this.#bound);
    if (bind) bound.add(name);
    else bound.delete(name);
    this.#bound = bound;
    const devices = [...new Set(this.#wqs.map(({ device }) => device))].flatMap((device): MappedDevice[] => {
      const wqs = this.#wqs.flatMap((wq) => (wq.device === device && bound.has(wq.name) ? [wq.name] : []));
      return wqs.length === 0 ? [] : [{ name: device, wqs }];
    });
    this.#add(devices);
    return { subject, value: this.all.length - 1 };
  }

  #add(devices: readonly MappedDevice[]): void {
    const { inventory, run, machine } = this.#sources;
    const found =
      run.mapping === undefined
        ? (mappingOf(inventory, devices)?.cpus ?? [])
        : mapCpus(run.mapping, mappedMachine(machine), devices, {
            compWqsPerIaa: Number(inventory.iaa?.driverAttributes?.['g_comp_wqs_per_iaa'] ?? 0),
            distributeComps: inventory.iaa?.driverAttributes?.['distribute_comps'] !== '0',
            distributeDecomps: inventory.iaa?.driverAttributes?.['distribute_decomps'] !== '0',
          });
    if (found.length === 0) {
      this.all.push({ tables: [], cpus: [] });
      return;
    }
    // A CPU that was offline at the last rebalancing has no WQs.
    const empty = { wqs: [], first: 0 };
    const byCpu = new Map(found.map((each) => [each.cpu, each]));
    const cpus = inventory.cpu.possible.map(
      (cpu) => byCpu.get(cpu) ?? { cpu, compress: empty, decompress: empty },
    );
    this.all.push(nativeMapping(cpus, this.#names));
  }
}

function nativeEvent(
  event: OutsideEvent,
  { inventory }: ConfigSources,
  mappings: Mappings,
): NativeModelEvent {
  const timeNs = event.atNs;
  switch (event.kind) {
    case 'cpu-offline':
    case 'cpu-online':
      if (!inventory.cpu.possible.includes(event.cpu)) throw noSuch(`CPU ${event.cpu}`);
      return { timeNs, kind: event.kind, subject: event.cpu };
    case 'wq-unbind':
    case 'wq-bind':
      return { timeNs, kind: event.kind, ...mappings.change(event.wq, event.kind === 'wq-bind') };
    case 'device-loss': {
      const subject = inventory.iaa?.devices.findIndex(({ name }) => name === event.device) ?? -1;
      if (subject === -1) throw noSuch(`IAA device ${event.device}`);
      return { timeNs, kind: event.kind, subject };
    }
    case 'compressor':
      return { timeNs, kind: event.kind, subject: 0, value: event.compressor };
    case 'zswap-enabled':
    case 'max-pool-percent':
    case 'accept-threshold':
      return { timeNs, kind: event.kind, subject: 0, value: event.value };
    default: {
      const value = event.bytes === undefined ? undefined : Math.floor(event.bytes / pageBytes);
      return { timeNs, kind: event.kind, subject: 0, value };
    }
  }
}

function noSuch(what: string): RequirementError {
  return new RequirementError(`the modelled machine has no ${what}`, {
    hint: "see 'iaa-zswap topology' on it, and model.events of the experiment",
  });
}

function syncModeOf(text: string | undefined): 'sync' | 'async' | 'async_irq' {
  return text === 'async' || text === 'async_irq' ? text : 'sync';
}

function limitOf(text: string): number | undefined {
  const word = text.trim();
  return /^\d+$/.test(word) ? Math.floor(Number(word) / pageBytes) : undefined;
}

/** What allocating a folio may do for memory without madvise (mm/huge_memory.c vma_thp_gfp_mask). */
function defragOf(word: string | undefined): NativeModelConfig['thp']['defrag'] {
  if (word === 'always') return 'direct-reclaim';
  return word === 'defer' || word === 'defer+madvise' ? 'wake-kswapd' : 'no-reclaim';
}
