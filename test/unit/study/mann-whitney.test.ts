import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  exactUpTo,
  mannWhitney,
  normalTail,
  smallestChance,
  smallestSize,
} from '../../../src/study/mann-whitney.js';

const close = (actual: number, expected: number, relative = 1e-12): void =>
  assert.ok(Math.abs(actual - expected) <= relative * expected, `${actual} is not ${expected}`);

/** U by its definition. */
function pairsAbove(base: readonly number[], changed: readonly number[]): number {
  let u = 0;
  for (const b of base) for (const c of changed) u += c > b ? 1 : c === b ? 0.5 : 0;
  return u;
}

/** The chances by trying every way to divide the values. */
function byEnumeration(base: readonly number[], changed: readonly number[]) {
  const pooled = [...base, ...changed];
  const mean = (base.length * changed.length) / 2;
  const observed = pairsAbove(base, changed);
  let [less, greater, different, all] = [0, 0, 0, 0];
  for (let set = 0; set < 1 << pooled.length; set += 1) {
    const taken = pooled.filter((_, index) => (set >> index) & 1);
    if (taken.length !== changed.length) continue;
    const u = pairsAbove(
      pooled.filter((_, index) => !((set >> index) & 1)),
      taken,
    );
    all += 1;
    less += Number(u <= observed);
    greater += Number(u >= observed);
    different += Number(Math.abs(u - mean) >= Math.abs(observed - mean));
  }
  return { u: observed, less: less / all, greater: greater / all, different: different / all };
}

/** The exact chances in whole numbers of any size. */
function byBigIntegers(base: readonly number[], changed: readonly number[]) {
  const pooled = [...base, ...changed].sort((a, b) => a - b);
  const doubled = (value: number): number => pooled.indexOf(value) + pooled.lastIndexOf(value) + 2;
  let ways: Map<number, bigint>[] = Array.from({ length: changed.length + 1 }, () => new Map());
  ways[0]?.set(0, 1n);
  for (const value of pooled) {
    ways = ways.map((sums, taken) => {
      const next = new Map(sums);
      for (const [sum, count] of ways[taken - 1] ?? []) {
        next.set(sum + doubled(value), (next.get(sum + doubled(value)) ?? 0n) + count);
      }
      return next;
    });
  }
  const observed = changed.reduce((sum, value) => sum + doubled(value), 0);
  const counts = [...(ways[changed.length] ?? [])];
  const total = counts.reduce((sum, [, count]) => sum + count, 0n);
  const part = (wanted: (sum: number) => boolean): number =>
    Number((counts.reduce((sum, [at, count]) => sum + (wanted(at) ? count : 0n), 0n) * 10n ** 30n) / total) /
    1e30;
  return { less: part((sum) => sum <= observed), greater: part((sum) => sum >= observed) };
}

/** Samples of these sizes, without ties, with this U. */
function samplesWithU(baseSize: number, changedSize: number, u: number): [number[], number[]] {
  const base = Array.from({ length: baseSize }, (_, index) => index + 1);
  const above = Math.floor(u / baseSize);
  const changed = Array.from({ length: changedSize }, (_, index) =>
    index < above ? baseSize + 2 + index : index === above ? (u % baseSize) + 0.5 : -index - 1,
  );
  return [base, changed];
}

const small = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 6 });
const some = fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 12 });

describe('mannWhitney', () => {
  it('is what trying every division gives, ties included', () => {
    fc.assert(
      fc.property(small, small, (base, changed) => {
        const expected = byEnumeration(base, changed);
        const found = mannWhitney(base, changed);
        assert.equal(found.method, 'exact');
        assert.equal(found.u, expected.u);
        for (const chance of ['less', 'greater', 'different'] as const) {
          close(found[chance], expected[chance]);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is what trying every division of six and six distinct values gives', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.double({ noNaN: true }), { minLength: 12, maxLength: 12 }), (values) => {
        const [base, changed] = [values.slice(0, 6), values.slice(6)];
        close(mannWhitney(base, changed).different, byEnumeration(base, changed).different);
      }),
      { numRuns: 10 },
    );
  });

  it('keeps its digits at 40 and 40 values, with ties', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 25 }), { minLength: 40, maxLength: 40 }),
        fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 40, maxLength: 40 }),
        (base, changed) => {
          const [found, expected] = [mannWhitney(base, changed), byBigIntegers(base, changed)];
          close(found.less, expected.less, 1e-13);
          close(found.greater, expected.greater, 1e-13);
        },
      ),
      { numRuns: 4 },
    );
  });

  it('is small no more often than it says, whatever the ties', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 8, maxLength: 8 }), (pooled) => {
        const found: number[] = [];
        for (let set = 0; set < 1 << pooled.length; set += 1) {
          const taken = pooled.filter((_, index) => (set >> index) & 1);
          if (taken.length !== 4) continue;
          found.push(
            mannWhitney(
              pooled.filter((_, index) => !((set >> index) & 1)),
              taken,
            ).less,
          );
        }
        for (const alpha of found) {
          const below = found.filter((chance) => chance <= alpha * (1 + 1e-12)).length;
          assert.ok(below / found.length <= alpha * (1 + 1e-9));
        }
      }),
      { numRuns: 20 },
    );
  });

  const published: readonly {
    readonly source: string;
    readonly base: readonly number[];
    readonly changed: readonly number[];
    readonly u: number;
    readonly chances: Partial<Record<'less' | 'greater' | 'different', string>>;
  }[] = [
    {
      source: 'StatXact 5 manual, p. 229 (exactRankTests, bloodp), with ties',
      base: [80, 94, 85, 90, 90, 90, 108, 94, 78, 105, 88],
      changed: [94, 108, 110, 90],
      u: 35,
      chances: { greater: '0.0542', different: '0.0989' },
    },
    {
      source: 'SAS/STAT, NPAR1WAY, exact Wilcoxon two-sample test, with ties',
      base: [1.94, 1.94, 2.92, 2.92, 2.92, 2.92, 3.27, 3.27, 3.27, 3.27, 3.7, 3.7, 3.74],
      changed: [3.27, 3.27, 3.27, 3.7, 3.7, 3.74],
      // Sum of scores 79.5.
      u: 58.5,
      chances: { greater: '0.0527', different: '0.1054' },
    },
    {
      source: 'R, wilcox.test (Hollander and Wolfe, p. 69)',
      base: [1.15, 0.88, 0.9, 0.74, 1.21],
      changed: [0.8, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46],
      u: 35,
      chances: { greater: '0.1272' },
    },
    {
      source: 'SciPy, mannwhitneyu',
      base: [20, 11, 17, 12],
      changed: [19, 22, 16, 29, 24],
      u: 17,
      chances: { different: '0.1111' },
    },
  ];
  for (const { source, base, changed, u, chances } of published) {
    it(`gives the numbers of ${source}`, () => {
      const found = mannWhitney(base, changed);
      assert.equal(found.u, u);
      for (const [name, expected] of Object.entries(chances)) {
        assert.equal(found[name as keyof typeof chances].toFixed(4), expected, name);
      }
    });
  }

  it('has the critical values of the tables', () => {
    // Largest U that is significant, samples of one size, two-sided (Milton, JASA 59, 1964).
    const tables: Readonly<Record<string, Readonly<Record<number, number>>>> = {
      '0.05': { 4: 0, 5: 2, 6: 5, 7: 8, 8: 13, 9: 17, 10: 23, 12: 37, 15: 64, 20: 127 },
      '0.01': { 5: 0, 6: 2, 7: 4, 8: 7, 9: 11, 10: 16, 12: 27, 15: 51, 20: 105 },
    };
    for (const [alpha, table] of Object.entries(tables)) {
      for (const [size, critical] of Object.entries(table)) {
        const chance = (u: number): number =>
          mannWhitney(...samplesWithU(Number(size), Number(size), u)).different;
        assert.ok(chance(critical) <= Number(alpha), `${size}: ${critical}`);
        assert.ok(chance(critical + 1) > Number(alpha), `${size}: ${critical + 1}`);
      }
    }
  });

  it('is mirrored by mirrored sides', () => {
    fc.assert(
      fc.property(some, some, (base, changed) => {
        const [there, back] = [mannWhitney(base, changed), mannWhitney(changed, base)];
        assert.equal(there.u + back.u, base.length * changed.length);
        close(there.less, back.greater);
        close(there.different, back.different);
      }),
    );
  });

  it('knows only the order of the values', () => {
    fc.assert(
      fc.property(some, some, (base, changed) => {
        const stretched = (values: readonly number[]): number[] =>
          values.map((value) => Math.exp(value / 10)).reverse();
        assert.deepEqual(mannWhitney(stretched(base), stretched(changed)), mannWhitney(base, changed));
      }),
    );
  });

  it('has chances from above 0 to 1', () => {
    fc.assert(
      fc.property(some, some, fc.constantFrom('exact', 'normal'), (base, changed, method) => {
        const { less, greater, different } = mannWhitney(base, changed, method);
        for (const chance of [less, greater, different]) assert.ok(chance > 0 && chance <= 1 + 1e-12);
        // Both hold what was observed.
        assert.ok(less + greater >= 1 - 1e-9);
      }),
    );
  });

  for (const [name, base, changed] of [
    ['an empty base', [], [1, 2]],
    ['an empty changed side', [1, 2], []],
    ['nothing at all', [], []],
    ['equal values alone', [5, 5, 5], [5, 5]],
  ] as const) {
    it(`finds no difference in ${name}`, () => {
      for (const method of ['exact', 'normal'] as const) {
        const { less, greater, different } = mannWhitney(base, changed, method);
        assert.deepEqual({ less, greater, different }, { less: 1, greater: 1, different: 1 });
      }
    });
  }
});

describe('the normal distribution beyond', () => {
  it('is used for more than 100 values', () => {
    const values = (length: number): number[] => Array.from({ length }, (_, index) => index);
    assert.equal(mannWhitney(values(exactUpTo - 3), values(3)).method, 'exact');
    assert.equal(mannWhitney(values(exactUpTo - 2), values(3)).method, 'normal');
  });

  it('gives the numbers of SciPy, with ties', () => {
    // scipy.stats.mannwhitneyu(changed, base, method='asymptotic', alternative=...), SciPy 1.17.
    const base = [
      310, 195, 530, 155, 530, 245, 385, 450, 465, 545, 170, 180, 125, 180, 230, 75, 430, 480, 495, 295,
    ];
    const changed = [
      116, 171, 176, 421, 111, 326, 481, 111, 346, 441, 261, 411, 206, 521, 456, 446, 296, 51, 426, 261,
    ];
    const { u, less, different } = mannWhitney(base, changed, 'normal');
    assert.equal(u, 177);
    close(less, 0.2713479887144741);
    close(different, 0.5426959774289482);
  });

  it('errs to the safe side, and little, where it takes over', () => {
    for (const [baseSize, changedSize] of [
      [50, 50],
      [20, 80],
    ] as const) {
      const pairs = baseSize * changedSize;
      for (let u = 0; u <= pairs / 2; u += 10) {
        const samples = samplesWithU(baseSize, changedSize, u);
        const [exact, normal] = [mannWhitney(...samples, 'exact'), mannWhitney(...samples, 'normal')];
        const ratio = normal.less / exact.less;
        if (exact.less > 0.0005) assert.ok(ratio > 0.99 && ratio < 1.3, `${exact.less}: ${ratio}`);
        if (exact.less < 0.01) assert.ok(ratio > 1, `${exact.less}: ${ratio}`);
      }
    }
  });

  it('has the tails of SciPy', () => {
    // scipy.stats.norm.sf
    for (const [z, expected] of [
      [-1, 0.8413447460685429],
      [0, 0.5],
      [0.5, 0.3085375387259869],
      [1.959963984540054, 0.025],
      [2.6, 0.004661188023718747],
      [3.090232306167813, 0.001],
      [6, 9.865876450376946e-10],
      [10, 7.61985302416047e-24],
    ] as const) {
      close(normalTail(z), expected, 1e-11);
    }
    assert.equal(normalTail(50), 0);
  });
});

describe('what so few values can show', () => {
  it('is one division of all', () => {
    close(smallestChance(4, 4), 1 / 70);
    close(smallestChance(10, 10), 1 / 184_756);
    close(smallestChance(3, 5), 1 / 56);
    assert.equal(smallestChance(0, 5), 1);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 7 }), (base, changed) => {
        close(smallestChance(base, changed), mannWhitney(...samplesWithU(base, changed, 0)).less);
      }),
    );
  });

  it('takes so many', () => {
    // 1 / 252 at 5, 1 / 924 at 6, 1 / 3432 at 7.
    assert.deepEqual(
      [0.6, 0.06, 0.025, 0.01, 0.01 / 2, 0.01 / 4, 0.01 / 8, 0.01 / 16].map(smallestSize),
      [1, 3, 4, 5, 5, 6, 6, 7],
    );
    // The table of docs/statistics.md.
    assert.deepEqual(
      [2, 3, 9, 10, 34, 35, 128].map((checks) => smallestSize(0.01 / checks)),
      [5, 6, 6, 7, 7, 8, 8],
    );
    // Below, not at.
    assert.equal(smallestSize(1 / 70), 5);
    assert.equal(smallestSize(0.05), 4);
  });
});
