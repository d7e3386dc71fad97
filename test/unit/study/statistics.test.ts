import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Random } from '../../../src/random.js';
import {
  confidence,
  median,
  medianInterval,
  pooledStandardDeviation,
  quantile,
  smallestWithInterval,
  standardDeviation,
} from '../../../src/study/statistics.js';
import { coverage } from '../../support/simulated-runs.js';

const near = (actual: number | undefined, expected: number, relative = 1e-12): void => {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) <= relative * Math.abs(expected),
    `${actual} is not ${expected}`,
  );
};
const numbers = fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 1, maxLength: 30 });

describe('median and quantile', () => {
  it('are those of R and NumPy', () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([10, 1, 2, 3]), 2.5);
    // numpy.quantile([15, 20, 35, 40, 50], [0.05, 0.3, 0.4, 0.5, 1])
    const values = [35, 15, 50, 40, 20];
    for (const [part, expected] of [
      [0, 15],
      [0.05, 16],
      [0.3, 23],
      [0.4, 29],
      [0.5, 35],
      [1, 50],
    ] as const) {
      near(quantile(values, part), expected);
    }
  });

  it('sort by value, not by text', () => assert.equal(median([9, 10, 100]), 10));

  it('are not there for no values, and leave the values as they are', () => {
    assert.equal(median([]), undefined);
    assert.equal(quantile([], 0.1), undefined);
    const values = [3, 1, 2];
    median(values);
    assert.deepEqual(values, [3, 1, 2]);
  });

  it('have as many values below as above', () => {
    fc.assert(
      fc.property(numbers, (values) => {
        const middle = median(values) ?? Number.NaN;
        const below = values.filter((value) => value < middle).length;
        const above = values.filter((value) => value > middle).length;
        assert.ok(below <= values.length / 2 && above <= values.length / 2);
      }),
    );
  });
});

describe('standard deviations', () => {
  it('divide by n - 1', () => {
    // statistics.stdev of Python.
    near(standardDeviation([850, 740, 900, 1070, 930]), 120.29131306956458);
    assert.equal(standardDeviation([4]), undefined);
    assert.equal(standardDeviation([]), undefined);
    assert.equal(standardDeviation([4, 4]), 0);
  });

  it('pool what each sample scatters around its own mean', () => {
    // Variances 2 (of 2 values) and 1 (of 3): (1 * 2 + 2 * 1) / 3.
    near(
      pooledStandardDeviation([
        [1, 3],
        [101, 102, 103],
      ]),
      Math.sqrt(4 / 3),
    );
    near(pooledStandardDeviation([[1, 3], [7], []]), Math.SQRT2);
    assert.equal(pooledStandardDeviation([[1], [2]]), undefined);
    assert.equal(pooledStandardDeviation([]), undefined);
  });

  it('do not lose small differences of large numbers', () => {
    near(standardDeviation([1e9 + 1, 1e9 + 2, 1e9 + 3]), 1);
  });

  it('are that of the one sample when it is pooled with itself', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 2, maxLength: 20 }), (values) => {
        near(pooledStandardDeviation([values, values]), standardDeviation(values) ?? Number.NaN, 1e-9);
      }),
    );
  });
});

describe('medianInterval', () => {
  it('has none for fewer than six values, whose very range is not sure enough', () => {
    const held = (n: number): number => 1 - 2 ** (1 - n);
    assert.ok(held(smallestWithInterval) >= confidence && held(smallestWithInterval - 1) < confidence);
    assert.equal(medianInterval([1, 2, 3, 4, 5]), undefined);
    assert.notEqual(medianInterval([1, 2, 3, 4, 5, 6]), undefined);
  });

  it('is what 100,000 resamples give', () => {
    const random = Random.seeded(1);
    for (const n of [6, 7, 10, 11, 20, 25]) {
      const values = Array.from({ length: n }, (_, index) => index * index);
      const medians = Float64Array.from({ length: 100_000 }, () => {
        const resample = Array.from({ length: n }, () => values[random.below(n)] ?? Number.NaN);
        return median(resample) ?? Number.NaN;
      }).sort();
      const drawn = [medians[2500], medians[97_500]];
      assert.deepEqual(medianInterval(values), drawn, `n = ${n}`);
    }
  });

  it('keeps between the smallest and the largest, around the median', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 6, maxLength: 40 }), (values) => {
        const [low, high] = medianInterval(values) ?? [Number.NaN, Number.NaN];
        const middle = median(values) ?? Number.NaN;
        assert.ok(Math.min(...values) <= low && low <= middle && middle <= high);
        assert.ok(high <= Math.max(...values));
      }),
    );
  });

  it('is that of the mirrored values, mirrored', () => {
    fc.assert(
      fc.property(fc.array(fc.integer(), { minLength: 6, maxLength: 40 }), (values) => {
        const [low, high] = medianInterval(values) ?? [];
        const [mirroredLow, mirroredHigh] = medianInterval(values.map((value) => -value)) ?? [];
        assert.deepEqual([low, high], [0 - (mirroredHigh ?? 0), 0 - (mirroredLow ?? 0)]);
      }),
    );
  });

  it('takes a thousand values, whose binomial numbers no double holds', () => {
    const [low = Number.NaN, high = Number.NaN] =
      medianInterval(Array.from({ length: 1100 }, (_, index) => index)) ?? [];
    // The order statistics around the middle at 1.96 * sqrt(1100) / 2.
    assert.ok(Math.abs(low - (549.5 - 32.5)) < 2 && Math.abs(high - (549.5 + 32.5)) < 2, `${low} ${high}`);
  });

  it('holds the median about as often as it says', () => {
    for (const distribution of ['normal', 'skewed'] as const) {
      const held = coverage(distribution, 10, 2000, 1);
      assert.ok(held > 0.92 && held < 0.98, `${distribution}: ${held}`);
    }
  });
});
