/** Measurements that are drawn from a known distribution, and how often the gate fires on them. */
import { Random } from '../../src/random.js';
import { gate, parseCondition } from '../../src/study/gate.js';
import type { SampledSet } from '../../src/study/points.js';
import { medianInterval } from '../../src/study/statistics.js';

/** A number of mean 0 and standard deviation 1. */
type Draw = (random: Random) => number;

/** By Box and Muller. */
function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
}

export const distributions = {
  normal,
  /** Exponential: a best case, and disturbances that only ever add to it. Skewness 2. */
  skewed: (random) => -Math.log(1 - random.unit()) - 1,
  /** Normal, in steps of one half: most values are there more than once. */
  stepped: (random) => Math.round(2 * normal(random)) / 2,
} satisfies Record<string, Draw>;
export type Distribution = keyof typeof distributions;

/** Medians of the distributions. */
const medians: Readonly<Record<Distribution, number>> = {
  normal: 0,
  skewed: Math.LN2 - 1,
  stepped: 0,
};

export interface Simulation {
  readonly distribution: Distribution;
  /** Repetitions on each side. */
  readonly n: number;
  /** Cells of each side; with one condition there are as many checks. */
  readonly cells: number;
  /** By how many standard deviations the changed side is slower. */
  readonly effect: number;
  /** One standard deviation in percent of the mean. */
  readonly percent: number;
}

const mean = 100;

/** Two sides in which elapsed_s has risen by the effect. */
export function simulatedPair(simulation: Simulation, random: Random): [SampledSet, SampledSet] {
  const { distribution, n, cells, percent } = simulation;
  const side = (name: string, effect: number): SampledSet => ({
    name,
    source: 'model',
    machine: 'none',
    cells: Array.from({ length: cells }, (_, index) => ({
      workload: 'simulated',
      folio: '4k',
      compressor: `c${index}`,
      kernel: 'k',
      samples: {
        elapsed_s: Array.from(
          { length: n },
          () => mean * (1 + (percent / 100) * (effect + distributions[distribution](random))),
        ),
      },
    })),
  });
  return [side('base', 0), side('new', simulation.effect)];
}

export interface Firing {
  /** Part of the pairs at which the gate fired. */
  readonly gates: number;
  /** Part of all checks that fired. */
  readonly checks: number;
}

/** How often the gate fires on so many simulated pairs. Throws as the gate does. */
export function firing(simulation: Simulation, text: string, pairs: number, seed: number): Firing {
  const random = Random.seeded(seed);
  const condition = parseCondition(text);
  let [gates, checks] = [0, 0];
  for (let pair = 0; pair < pairs; pair += 1) {
    const result = gate([condition], ...simulatedPair(simulation, random));
    gates += Number(result.fires);
    checks += result.checks.filter(({ fires }) => fires).length;
  }
  return { gates: gates / pairs, checks: checks / (pairs * simulation.cells) };
}

/** How often the interval of the median holds the median that the distribution has. */
export function coverage(distribution: Distribution, n: number, rounds: number, seed: number): number {
  const random = Random.seeded(seed);
  let held = 0;
  for (let round = 0; round < rounds; round += 1) {
    const values = Array.from({ length: n }, () => distributions[distribution](random));
    const [low, high] = medianInterval(values) ?? [Number.NaN, Number.NaN];
    held += Number(low <= medians[distribution] && medians[distribution] <= high);
  }
  return held / rounds;
}
