/** How often the interval of a median is to hold it. */
export const confidence = 0.95;

/**
 * The fewest values that have an interval: the range of n values holds the median in 1 - 2^(1-n) of all cases, which
 * passes 95% at six. No interval of fewer can keep its promise.
 */
export const smallestWithInterval = 6;

/** The middle value, or the mean of the two; undefined of none. */
export function median(values: readonly number[]): number | undefined {
  return quantile(values, 0.5);
}

/**
 * The value below which `part` (0 to 1) of the values lie, in between by straight line: definition 7 of Hyndman and Fan
 * ("Sample quantiles in statistical packages", 1996), which R and NumPy have. Undefined of none.
 */
export function quantile(values: readonly number[], part: number): number | undefined {
  const ordered = ascending(values);
  const at = (ordered.length - 1) * part;
  const [low, high] = [ordered[Math.floor(at)], ordered[Math.ceil(at)]];
  return low === undefined || high === undefined ? undefined : low + (high - low) * (at - Math.floor(at));
}

/** Of a sample: the squares' sum is divided by n - 1. Undefined of fewer than two values. */
export function standardDeviation(values: readonly number[]): number | undefined {
  return pooledStandardDeviation([values]);
}

/**
 * By how much several samples scatter, each around its own mean: the root of the mean of their variances, weighted by
 * n - 1. Undefined when none has two values.
 */
export function pooledStandardDeviation(samples: readonly (readonly number[])[]): number | undefined {
  const degrees = samples.reduce((sum, values) => sum + Math.max(0, values.length - 1), 0);
  const squares = samples.reduce((sum, values) => sum + squaredDeviations(values), 0);
  return degrees === 0 ? undefined : Math.sqrt(squares / degrees);
}

function squaredDeviations(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
}

/**
 * The 95% percentile bootstrap interval of the median (Efron, "Bootstrap methods: another look at the jackknife", 1979):
 * what infinitely many resamples would give. For a median their distribution has a closed form, so that nothing is drawn
 * and nothing depends on a seed. Undefined of fewer than six values.
 */
export function medianInterval(values: readonly number[]): readonly [number, number] | undefined {
  if (values.length < smallestWithInterval) return undefined;
  const medians = resampledMedians(ascending(values)).sort((a, b) => a.value - b.value);
  const at = (part: number): number => {
    let sum = 0;
    const found = medians.find(({ chance }) => {
      sum += chance;
      return sum >= part;
    });
    return (found ?? medians.at(-1))?.value ?? Number.NaN;
  };
  return [at((1 - confidence) / 2), at((1 + confidence) / 2)];
}

/** The medians that a resample of these values can have, each with its chance; equal ones may be apart. */
function resampledMedians(ordered: readonly number[]): { readonly value: number; readonly chance: number }[] {
  const n = ordered.length;
  const lower = Math.ceil(n / 2);
  const logWays = logBinomials(n);
  const waysOfLower = logWays[lower] ?? 0;
  const medians: { value: number; chance: number }[] = [];
  let before = 0;
  ordered.forEach((low, index) => {
    // That the lower one of a resample's two middle values, or its only one, is this.
    const upTo = atLeast(lower, logWays, (index + 1) / n);
    let rest = upTo - before;
    before = upTo;
    if (n % 2 === 0) {
      // Half of the draws are at most this value, not all of them below it; the others at least `high`, not all above.
      const all = (values: number): number => (values / n) ** lower;
      const half = all(index + 1) - all(index);
      for (let next = index + 1; next < n; next += 1) {
        const other = all(n - next) - all(n - next - 1);
        const chance = Math.exp(waysOfLower + Math.log(half) + Math.log(other));
        medians.push({ value: (low + (ordered[next] ?? low)) / 2, chance });
        rest -= chance;
      }
    }
    medians.push({ value: low, chance: rest });
  });
  return medians;
}

/** The chance that at least `count` of n draws succeed, each with this chance. */
function atLeast(count: number, logWays: readonly number[], chance: number): number {
  if (chance === 1) return 1;
  const n = logWays.length - 1;
  let sum = 0;
  for (let hits = count; hits <= n; hits += 1) {
    sum += Math.exp((logWays[hits] ?? 0) + hits * Math.log(chance) + (n - hits) * Math.log1p(-chance));
  }
  return sum;
}

/** Logarithms of n over 0 to n: the numbers themselves are beyond a double from n = 1030 on. */
function logBinomials(n: number): number[] {
  const logs = [0];
  for (let k = 1; k <= n; k += 1) logs.push((logs[k - 1] ?? 0) + Math.log((n - k + 1) / k));
  return logs;
}

function ascending(values: readonly number[]): number[] {
  return [...values].sort((a, b) => a - b);
}
