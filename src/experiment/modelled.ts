/** What an experiment is on a modelled machine: its kernels, and what no kernel file says. */
import type { Host } from '../host/host.js';
import type { ModelControl, ModelRun, OutsideEvent } from '../host/model-control.js';
import { aaAxis, type Cell, experimentOf } from './cells.js';
import type { ModelEvent } from './model-schema.js';
import type { Experiment } from './schema.js';

/** The experiment as it is on a host: `model.kernels` are the kernels of its matrix on a modelled machine alone. */
export function experimentOn({ model }: Pick<Host, 'model'>, experiment: Experiment): Experiment {
  const kernels = experiment.model?.kernels;
  if (model === undefined || kernels === undefined) return experiment;
  const kernel = kernels.map((name) => ({
    name,
    release: model.kernels.find((each) => each.name === name)?.release ?? name,
  }));
  return { ...experiment, matrix: { ...experiment.matrix, kernel } };
}

/** Boots the kernel of a cell, where that is another than what runs. */
export async function bootFor(
  model: ModelControl,
  { matrix }: Experiment,
  kernel: string | undefined,
): Promise<void> {
  const release = matrix.kernel?.find(({ name }) => name === kernel)?.release;
  const wanted = model.kernels.find((each) => each.release === release)?.name;
  if (wanted !== undefined && wanted !== model.kernel) await model.boot(wanted);
}

/** What the workload of a cell runs with. */
export function modelRun(given: Experiment, cell: Cell): ModelRun {
  const { model = {}, seed } = experimentOf(given, cell);
  return {
    seed: seedOf(seed, cell),
    switches: Object.fromEntries(
      Object.entries(model.switches ?? {}).flatMap(([name, on]) =>
        on === undefined ? [] : [[camelCase(name), on]],
      ),
    ),
    mapping: model.mapping,
    constants: model.constants ?? {},
    events: (model.events ?? []).map(outsideEvent),
    incompressiblePerMillion: Math.round((model.incompressible_percent ?? 0) * 10_000),
    calibrated: model.calibrated ?? true,
    exact: model.exact ?? false,
  };
}

// Seeds of experiments have 31 bits.
const seeds = 2 ** 32;
const mostRepetitions = 1000;

/** The experiment's seed for the first repetition, and others for further ones: repetitions differ, points do not. */
function seedOf(seed: number, { repetition, warmUp, settings }: Cell): number {
  const twin = settings[aaAxis.path] === 'B' ? 1 : 0;
  const round = repetition - 1 + (warmUp ? mostRepetitions : 0);
  return seed + (2 * round + twin) * seeds;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function outsideEvent(event: ModelEvent): OutsideEvent {
  const atNs = Math.round(event.at_s * 1e9);
  const limits = {
    'memory.high': 'memory-high',
    'memory.max': 'memory-max',
    'memory.swap.max': 'swap-max',
    'memory.zswap.max': 'zswap-max',
  } as const;
  const numbers = {
    'zswap.max_pool_percent': 'max-pool-percent',
    'zswap.accept_threshold_percent': 'accept-threshold',
  } as const;
  if (event.cpu_offline !== undefined) return { atNs, kind: 'cpu-offline', cpu: event.cpu_offline };
  if (event.cpu_online !== undefined) return { atNs, kind: 'cpu-online', cpu: event.cpu_online };
  if (event.wq_unbind !== undefined) return { atNs, kind: 'wq-unbind', wq: event.wq_unbind };
  if (event.wq_bind !== undefined) return { atNs, kind: 'wq-bind', wq: event.wq_bind };
  if (event.device_loss !== undefined) return { atNs, kind: 'device-loss', device: event.device_loss };
  const compressor = event['zswap.compressor'];
  if (compressor !== undefined) return { atNs, kind: 'compressor', compressor };
  const enabled = event['zswap.enabled'];
  if (enabled !== undefined) return { atNs, kind: 'zswap-enabled', value: Number(enabled) };
  for (const [key, kind] of Object.entries(numbers)) {
    const value = event[key as keyof typeof numbers];
    if (value !== undefined) return { atNs, kind, value };
  }
  for (const [key, kind] of Object.entries(limits)) {
    const value = event[key as keyof typeof limits];
    if (value !== undefined) return { atNs, kind, bytes: value === 'max' ? undefined : Number(value) };
  }
  throw new TypeError('an event that is none');
}
