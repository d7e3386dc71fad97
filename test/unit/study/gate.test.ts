import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../../src/errors.js';
import { gate, parseCondition } from '../../../src/study/gate.js';
import type { SampledCell, SampledSet } from '../../../src/study/points.js';
import { standardDeviation } from '../../../src/study/statistics.js';
import { distributions, firing, type Simulation } from '../../support/simulated-runs.js';

const usageError = (message: RegExp, hint?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof UsageError, String(error));
  assert.match(error.message, message);
  if (hint !== undefined) assert.match(error.hint ?? '', hint);
  return true;
};

describe('parseCondition', () => {
  for (const [text, key, side, percent] of [
    ['throughput < -3%', 'total_throughput_kb_s', '<', -3],
    ['elapsed > 5%', 'elapsed_s', '>', 5],
    ['sys>+2.5%', 'sys_s', '>', 2.5],
    ['  zswpout  <  -0.5 % ', 'zswpout', '<', -0.5],
    ['64kB_swpout_fallback > 10%', '64kB_swpout_fallback', '>', 10],
    ['ZSWPOUT-64kB<-1%', 'ZSWPOUT-64kB', '<', -1],
    ['throughput < 0%', 'total_throughput_kb_s', '<', 0],
    ['elapsed > 250%', 'elapsed_s', '>', 250],
    ['constructor > 1%', 'constructor', '>', 1],
  ] as const) {
    it(`reads ${text}`, () => {
      assert.deepEqual(parseCondition(text), { text: text.trim(), key, side, percent });
    });
  }

  for (const [text, why] of [
    ['', /expected ROW < -N% or ROW > N%/],
    ['throughput', /expected ROW < -N% or ROW > N%/],
    ['total throughput < -3%', /expected ROW/],
    ['< -3%', /names no row/],
    ['throughput <= -3%', /expected < or >, found <=/],
    ['throughput == -3%', /found ==/],
    ['throughput < -3', /a percentage: -3%/],
    ['throughput <', /expected a percentage, found ''/],
    ['throughput < -3%%', /expected a percentage, found '-3%%'/],
    ['throughput < - 3%', /expected a percentage/],
    ['throughput < -3% extra', /expected a percentage/],
    ['throughput < 1e99%', /expected a percentage/],
    ['throughput < NaN%', /expected a percentage/],
    ['throughput < 3%', /a loss has a minus: < -3%/],
    ['elapsed > -3%', /a gain has no minus: > 3%/],
    ['throughput < -100%', /more than 100%/],
  ] as const) {
    it(`refuses '${text}'`, () => {
      assert.throws(() => parseCondition(text), usageError(why, /throughput < -3%/));
    });
  }

  it('throws nothing else, whatever it reads', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 40 }), (text) => {
        try {
          const { percent } = parseCondition(text);
          assert.ok(Number.isFinite(percent));
        } catch (error) {
          assert.ok(error instanceof UsageError);
        }
      }),
    );
  });
});

function cell(throughput: readonly number[], changes: Partial<SampledCell> = {}): SampledCell {
  return {
    workload: 'usemem30',
    folio: '64k',
    compressor: 'zstd',
    kernel: '7.3',
    samples: { total_throughput_kb_s: throughput },
    ...changes,
  };
}

function set(name: string, ...cells: SampledCell[]): SampledSet {
  return { name, source: 'hardware', machine: 'one', cells };
}

const around = (middle: number, step: number, n = 10): number[] =>
  Array.from({ length: n }, (_, index) => middle + step * (index - (n - 1) / 2));
const condition = parseCondition('throughput < -3%');
const run = (base: readonly number[], changed: readonly number[], aa?: SampledSet) =>
  gate([condition], set('base', cell(base)), set('new', cell(changed)), aa);

describe('gate', () => {
  it('fires on a loss beyond threshold and noise, and says all that it looked at', () => {
    const result = run(around(1000, 1), around(900, 1));
    assert.deepEqual(result, {
      fires: true,
      alpha: 0.01,
      checks: [
        {
          condition: 'throughput < -3%',
          key: 'total_throughput_kb_s',
          point: 'usemem30: 64k, zstd',
          base: 1000,
          new: 900,
          change: -0.1,
          p: 1 / 184_756,
          noise: standardDeviation(around(0, 1)),
          significant: true,
          beyondThreshold: true,
          beyondNoise: true,
          fires: true,
        },
      ],
    });
    assert.deepEqual(JSON.parse(JSON.stringify(result)), result);
  });

  it('does not fire on a record and itself, or on a gain', () => {
    assert.equal(run(around(1000, 1), around(1000, 1)).fires, false);
    assert.equal(run(around(1000, 1), around(1100, 1)).fires, false);
  });

  it('does not fire where one of the three is missing', () => {
    const verdict = (base: readonly number[], changed: readonly number[]) => {
      const [{ significant, beyondThreshold, beyondNoise, fires } = assert.fail()] = run(
        base,
        changed,
      ).checks;
      assert.equal(fires, false);
      return { significant, beyondThreshold, beyondNoise };
    };
    assert.deepEqual(verdict(around(1000, 1), around(980, 1)), {
      significant: true,
      beyondThreshold: false,
      beyondNoise: true,
    });
    // Medians 110 apart at an sd of 54, but two of the new values are among the largest.
    assert.deepEqual(verdict([1000, 1010, 1020, 1030, 1040], [900, 905, 910, 1035, 1045]), {
      significant: false,
      beyondThreshold: true,
      beyondNoise: true,
    });
    // An outlier on each side makes the noise large.
    assert.deepEqual(verdict([...around(1000, 1, 9), 9000], [...around(900, 1, 9), 8999]), {
      significant: true,
      beyondThreshold: true,
      beyondNoise: false,
    });
  });

  it('is at the threshold not yet beyond it', () => {
    assert.equal(run(around(1000, 0), around(970, 0)).checks[0]?.beyondThreshold, false);
    assert.equal(run(around(1000, 0), around(969, 0)).checks[0]?.beyondThreshold, true);
  });

  it('looks to the side of its condition', () => {
    const sets = [set('a', cell(around(1000, 1))), set('b', cell(around(1100, 1)))] as const;
    assert.equal(gate([parseCondition('throughput > 3%')], ...sets).fires, true);
    assert.equal(gate([parseCondition('throughput < -3%')], ...sets).fires, false);
    assert.equal(gate([parseCondition('throughput > 3%')], sets[1], sets[0]).fires, false);
  });

  it('counts from 0 to something as beyond every threshold', () => {
    const zero = cell([], { samples: { pswpout: around(0, 0) } });
    const some = cell([], { samples: { pswpout: around(50, 1) } });
    const result = gate([parseCondition('pswpout > 100%')], set('a', zero), set('b', some));
    assert.equal(result.fires, true);
    assert.equal('change' in (result.checks[0] ?? {}), false);
    assert.equal(gate([parseCondition('pswpout > 100%')], set('a', zero), set('b', zero)).fires, false);
  });

  it('divides its alpha among all conditions and cells', () => {
    const sides = ['zstd', 'lzo', 'lz4'].map((compressor) => cell(around(1000, 1), { compressor }));
    const result = gate(
      [condition, parseCondition('throughput > 3%')],
      set('a', ...sides),
      set('b', ...sides),
    );
    assert.equal(result.checks.length, 6);
    assert.equal(result.alpha, 0.01 / 6);
    // At 5 and 5 values p is at least 1 / 252: enough for two checks, not for three.
    const five = ['zstd', 'lzo', 'lz4'].map((compressor) => cell(around(1000, 1, 5), { compressor }));
    assert.equal(gate([condition], set('a', ...five.slice(1)), set('b', ...five.slice(1))).fires, false);
    assert.throws(
      () => gate([condition], set('a', ...five), set('b', ...five)),
      usageError(
        /^too few repetitions for this gate to fire: usemem30: 64k, zstd has 5 and 5 \(and 2 more\)$/,
        /^3 checks take at least 6 on both sides$/,
      ),
    );
  });

  it('applies a condition to the cells that have the row', () => {
    const build = { workload: 'kernel-build-tinyconfig', samples: { real_s: around(10, 0) } };
    const side = (name: string) => set(name, cell(around(1000, 1)), cell([], build));
    assert.equal(gate([condition], side('a'), side('b')).checks.length, 1);
    assert.equal(gate([condition, parseCondition('real_s > 5%')], side('a'), side('b')).checks.length, 2);
  });

  const base = set('base', cell(around(1000, 1)));
  const refusals: readonly [string, () => unknown, RegExp, RegExp?][] = [
    ['no condition', () => gate([], base, base), /has no condition/],
    [
      'four repetitions',
      () => run(around(1000, 1, 4), around(900, 1, 4)),
      /too few/,
      /^1 check takes at least 5/,
    ],
    ['one repetition', () => run([1000], [900]), /too few/],
    [
      'a row that nobody has',
      () => gate([parseCondition('foo > 1%')], base, base),
      /^'foo > 1%': no cell has foo$/,
      /^the rows are total_throughput_kb_s$/,
    ],
    [
      'a row that only objects have',
      () => gate([parseCondition('constructor > 1%')], base, base),
      /no cell has constructor/,
    ],
    [
      'a cell that was not measured again',
      () => gate([condition], set('base', cell(around(1, 0)), cell([1], { folio: '4k' })), base),
      /^base lacks cells of base: usemem30: 4k, zstd$/,
    ],
    [
      'a row that is gone',
      () => gate([condition], base, set('new', cell([], { samples: { elapsed_s: [1] } }))),
      /^new has no total_throughput_kb_s at usemem30: 64k, zstd, the other has$/,
    ],
    [
      'a cell whose runs all failed',
      () => gate([condition], base, set('new', cell([]))),
      /^new has no valid repetition of usemem30: 64k, zstd$/,
    ],
    [
      'a cell whose runs all failed on both sides',
      () => {
        const failed = cell([], { compressor: 'lzo', samples: {} });
        return gate([condition], set('a', ...base.cells, failed), set('b', ...base.cells, failed));
      },
      /^a has no valid repetition of usemem30: 64k, lzo$/,
    ],
    ['another machine', () => gate([condition], base, { ...base, machine: 'two' }), /another machine/],
    [
      'an A/A record of another machine',
      () => gate([condition], base, base, { ...base, name: 'aa', machine: 'two' }),
      /^base \(one\) and aa \(two\)/,
    ],
    [
      'an A/A record of other cells',
      () => gate([condition], base, base, set('aa', cell(around(1, 1), { compressor: 'lzo' }))),
      /^aa has no two values of total_throughput_kb_s for usemem30: 64k, zstd$/,
    ],
  ];
  for (const [what, decide, message, hint] of refusals) {
    it(`refuses ${what}, and does not pass it`, () => {
      assert.throws(decide, usageError(message, hint));
    });
  }
});

describe('the noise', () => {
  it('is that of each side around its own mean', () => {
    const noise = run(around(1000, 1), around(900, 3)).checks[0]?.noise ?? 0;
    const [one = 0, two = 0] = [standardDeviation(around(0, 1)), standardDeviation(around(0, 3))];
    assert.ok(Math.abs(noise - Math.sqrt((one ** 2 + two ** 2) / 2)) < 1e-9);
  });

  it('is that of an A/A record where there is one, whatever else is in it', () => {
    const twins = ['A', 'B'].map((aa, index) => cell([1000 + index, 1200 + index], { settings: { aa } }));
    const aa = set('aa', ...twins, cell([1, 9e9], { compressor: 'lzo' }), cell([1, 9e9], { folio: '4k' }));
    const result = run(around(1000, 1), around(900, 1), aa);
    assert.equal(result.aa, 'aa');
    assert.equal(result.checks[0]?.noise, standardDeviation([1000, 1200, 1001, 1201]));
    // 100 is within the 115 of the A/A record.
    assert.equal(result.fires, false);
  });

  it('is measured apart for each side where the A/A record has both', () => {
    const sides = [cell(around(1000, 1)), cell(around(900, 1), { kernel: '7.4' })] as const;
    const aa = set('aa', cell([1000, 1002]), cell([900, 902], { kernel: '7.4' }));
    const [check] = gate([condition], set('a', sides[0]), set('b', sides[1]), aa).checks;
    assert.equal(check?.noise, Math.SQRT2);
    const ofBase = gate([condition], set('a', sides[0]), set('b', sides[1]), set('aa', cell([1000, 1002])));
    assert.equal(ofBase.checks[0]?.noise, Math.SQRT2);
  });
});

describe('on simulated pairs', () => {
  const usual: Omit<Simulation, 'distribution'> = { n: 10, cells: 1, effect: 0, percent: 2 };
  for (const distribution of Object.keys(distributions) as (keyof typeof distributions)[]) {
    for (const [what, text, pairs, changes] of [
      ['the condition of the documents', 'elapsed > 3%', 1000, {}],
      ['a threshold far within the noise', 'elapsed > 3%', 1000, { percent: 10 }],
      ['no threshold', 'elapsed > 0%', 1000, {}],
      ['five repetitions', 'elapsed > 0%', 1000, { n: 5 }],
      ['twenty repetitions', 'elapsed > 0%', 1000, { n: 20 }],
      // Nearest to 1%, which 1,000 pairs are too few to tell from 0.7%.
      ['eight cells', 'elapsed > 0%', 5000, { n: 8, cells: 8 }],
    ] as const) {
      it(`fires in at most 1% where nothing has changed: ${distribution}, ${what}`, () => {
        const { gates } = firing({ ...usual, distribution, ...changes }, text, pairs, 1);
        assert.ok(gates <= 0.01, String(gates));
      });
    }

    it(`fires in at least 95% at three standard deviations and 10 repetitions: ${distribution}`, () => {
      const { gates } = firing({ ...usual, distribution, effect: 3 }, 'elapsed > 3%', 1000, 1);
      assert.ok(gates >= 0.95, String(gates));
    });
  }
});
