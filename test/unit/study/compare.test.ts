import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { UsageError } from '../../../src/errors.js';
import { changeOf, compare } from '../../../src/study/compare.js';
import { matchPoints, type SampledCell, type SampledSet } from '../../../src/study/points.js';

type Changes = Partial<SampledCell>;

function cell(changes: Changes = {}): SampledCell {
  return {
    workload: 'usemem30',
    folio: '64k',
    compressor: 'zstd',
    kernel: '7.3',
    settings: {},
    samples: { total_throughput_kb_s: [100, 101, 102, 103], sys_s: [4, 5, 6, 7] },
    ...changes,
  };
}

function set(name: string, cells: readonly SampledCell[], changes: Partial<SampledSet> = {}): SampledSet {
  return { name, source: 'hardware', machine: 'one', cells, ...changes };
}

const names = (base: readonly Changes[], changed: readonly Changes[]) => {
  const matching = matchPoints(set('a', base.map(cell)), set('b', changed.map(cell)));
  return {
    points: matching.workloads.flatMap(({ workload, points }) =>
      points.map(({ name }) => `${workload}: ${name}`),
    ),
    differences: matching.workloads.flatMap(({ differences }) =>
      differences.map(({ name, base: from, new: to }) => `${name} ${from} -> ${to}`),
    ),
    onlyBase: matching.onlyBase,
    onlyNew: matching.onlyNew,
  };
};

describe('matchPoints', () => {
  it('finds each cell in the other side, in the order of the base', () => {
    const cells = [{ folio: '64k' }, { folio: '2048k' }, { folio: '64k', compressor: 'lzo' }];
    assert.deepEqual(names(cells, cells.toReversed()), {
      points: ['usemem30: 64k, zstd', 'usemem30: 2048k, zstd', 'usemem30: 64k, lzo'],
      differences: [],
      onlyBase: [],
      onlyNew: [],
    });
  });

  it('compares across what each side has one value of', () => {
    assert.deepEqual(names([{ kernel: '7.3' }, { kernel: '7.3', folio: '4k' }], [{ kernel: '7.4' }]), {
      points: ['usemem30: 64k, zstd'],
      differences: ['kernel 7.3 -> 7.4'],
      onlyBase: ['usemem30: 4k, zstd'],
      onlyNew: [],
    });
    assert.deepEqual(
      names(
        [{ settings: { 'vm.page-cluster': '0', x: '1' } }],
        [{ compressor: 'lzo', settings: { 'vm.page-cluster': '3', y: '2' } }],
      ),
      {
        points: ['usemem30: 64k'],
        differences: ['compressor zstd -> lzo', 'vm.page-cluster 0 -> 3', 'x 1 -> --', 'y -- -> 2'],
        onlyBase: [],
        onlyNew: [],
      },
    );
  });

  it('has a name even for a cell of which nothing is the same', () => {
    const { points } = names([{}], [{ folio: '4k', compressor: 'lzo' }]);
    assert.deepEqual(points, ['usemem30: ']);
  });

  it('tells cells apart by what a side has several values of', () => {
    const kernels = [{ kernel: '7.3' }, { kernel: '7.4' }];
    assert.deepEqual(names(kernels, kernels).points, [
      'usemem30: 64k, zstd, 7.3',
      'usemem30: 64k, zstd, 7.4',
    ]);
    assert.deepEqual(names([{ kernel: '7.4' }], kernels), {
      points: ['usemem30: 64k, zstd, 7.4'],
      differences: [],
      onlyBase: [],
      onlyNew: ['usemem30: 64k, zstd, 7.3'],
    });
    const clusters = ['0', '3'].map((value) => ({ settings: { 'vm.page-cluster': value } }));
    assert.deepEqual(names(clusters, [...clusters, {}]), {
      points: ['usemem30: 64k, zstd, vm.page-cluster=0', 'usemem30: 64k, zstd, vm.page-cluster=3'],
      differences: [],
      onlyBase: [],
      onlyNew: ['usemem30: 64k, zstd, vm.page-cluster=--'],
    });
  });

  it('judges each workload by its own cells', () => {
    const build = { workload: 'kernel-build-tinyconfig', settings: {} };
    assert.deepEqual(
      names([{ settings: { x: '1' } }, build], [{ settings: { x: '2' } }, build, { workload: 'make' }]),
      {
        points: ['usemem30: 64k, zstd', 'kernel-build-tinyconfig: 64k, zstd'],
        differences: ['x 1 -> 2'],
        onlyBase: [],
        onlyNew: ['make: 64k, zstd'],
      },
    );
  });

  it('takes cells that are alike for one', () => {
    const [workload] = matchPoints(
      set('a', [cell({ samples: { sys_s: [1, 2] } }), cell({ samples: { sys_s: [3], user_s: [9] } })]),
      set('b', [cell()]),
    ).workloads;
    assert.deepEqual(workload?.points[0]?.base.samples, { sys_s: [1, 2, 3], user_s: [9] });
  });

  it('takes no setting for another, whatever it is called', () => {
    assert.deepEqual(names([{ settings: { constructor: '1' } }], [{ settings: {} }]).differences, [
      'constructor 1 -> --',
    ]);
  });

  const refused: readonly [string, SampledSet, SampledSet, RegExp][] = [
    [
      'sources',
      set('a', [cell()]),
      set('b', [cell()], { source: 'emulated' }),
      /^a \(hardware\) and b \(emulated\) do not compare: another source$/,
    ],
    [
      'machines',
      set('a', [cell()]),
      set('b', [cell()], { machine: 'two' }),
      /^a \(one\) and b \(two\) do not compare: another machine$/,
    ],
    [
      'workloads',
      set('a', [cell()]),
      set('b', [cell({ workload: 'usemem10' })]),
      /^a \(usemem30\) and b \(usemem10\) do not compare: another workload$/,
    ],
    [
      'cells',
      set('a', [cell(), cell({ folio: '2048k' })]),
      set(
        'b',
        ['16k', '32k', '128k', '256k', '512k', '1024k'].map((folio) => cell({ folio })),
      ),
      /^a \(usemem30: 64k, zstd; usemem30: 2048k, zstd\) and b \(usemem30: 16k, zstd;.*; 2 more\) do not compare: no cell in common$/,
    ],
    ['nothing', set('a', []), set('b', []), /^a \(none\) and b \(none\) do not compare/],
  ];
  for (const [what, base, changed, message] of refused) {
    it(`refuses different ${what}`, () => {
      assert.throws(
        () => matchPoints(base, changed),
        (error) => error instanceof UsageError && message.test(error.message) && error.hint !== undefined,
      );
    });
  }
});

describe('compare', () => {
  it('gives for each row what both sides have, and tests one', () => {
    const comparison = compare(
      set('before', [cell()]),
      set('after', [
        cell({
          kernel: '7.4',
          samples: { total_throughput_kb_s: [110, 120, 130, 140, 150, 160, 170], zswpin: [0] },
        }),
      ]),
    );
    assert.deepEqual(comparison, {
      base: 'before',
      new: 'after',
      source: 'hardware',
      machine: 'one',
      workloads: [
        {
          workload: 'usemem30',
          differences: [{ name: 'kernel', base: '7.3', new: '7.4' }],
          points: [
            {
              name: '64k, zstd',
              base: { folio: '64k', compressor: 'zstd', kernel: '7.3', settings: {} },
              new: { folio: '64k', compressor: 'zstd', kernel: '7.4', settings: {} },
              primary: {
                key: 'total_throughput_kb_s',
                u: 28,
                // 2 of the 330 ways to choose 4 of 11.
                p: 2 / 330,
                method: 'exact',
                significant: true,
                reachable: true,
              },
              rows: [
                {
                  key: 'total_throughput_kb_s',
                  base: { n: 4, median: 101.5, spread: [100, 103] },
                  new: { n: 7, median: 140, spread: [110, 170], interval: [120, 160] },
                  change: 38.5 / 101.5,
                },
                { key: 'sys_s', base: { n: 4, median: 5.5, spread: [4, 7] } },
                { key: 'zswpin', new: { n: 1, median: 0, spread: [0, 0] } },
              ],
            },
          ],
        },
      ],
      onlyBase: [],
      onlyNew: [],
    });
    assert.deepEqual(JSON.parse(JSON.stringify(comparison)), comparison);
  });

  const primary = (base: SampledCell['samples'], changed = base) =>
    compare(set('a', [cell({ samples: base })]), set('b', [cell({ samples: changed })])).workloads[0]
      ?.points[0]?.primary;

  it('tests throughput, else real time, else elapsed time', () => {
    const samples = { sys_s: [1], elapsed_s: [1], real_s: [1], total_throughput_kb_s: [1] };
    const { total_throughput_kb_s: _t, ...build } = samples;
    const { real_s: _r, ...command } = build;
    assert.equal(primary(samples)?.key, 'total_throughput_kb_s');
    assert.equal(primary(build)?.key, 'real_s');
    assert.equal(primary(command)?.key, 'elapsed_s');
    assert.equal(primary({ sys_s: [1] }), undefined);
  });

  it('does not turn to another row where a side lacks the one', () => {
    assert.equal(primary({ total_throughput_kb_s: [1], elapsed_s: [1] }, { elapsed_s: [1] }), undefined);
    assert.equal(primary({ total_throughput_kb_s: [], elapsed_s: [1] }), undefined);
  });

  it('finds a difference only where equal sides would seldom show it', () => {
    const test = (changed: number[]) => primary({ elapsed_s: [1, 2, 3, 4] }, { elapsed_s: changed });
    assert.equal(test([5, 6, 7, 8])?.significant, true);
    // 4 of 70.
    assert.equal(test([3.5, 6, 7, 8])?.p, 4 / 70);
    assert.equal(test([3.5, 6, 7, 8])?.significant, false);
    // 2 of 35 at 4 and 3 values, 2 of 70 at 4 and 4.
    assert.equal(test([5, 6, 7])?.reachable, false);
    assert.equal(test([5, 6, 7])?.significant, false);
    assert.equal(test([3.5, 6, 7, 8])?.reachable, true);
  });

  it('refuses a value that is no number', () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      assert.throws(() => primary({ elapsed_s: [1, bad] }), UsageError);
    }
  });

  it('finds no difference between a side and itself', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 12 }), (values) => {
        const test = primary({ elapsed_s: values });
        assert.equal(test?.significant, false);
        assert.ok((test?.p ?? 0) > 0.999_999);
      }),
    );
  });
});

describe('changeOf', () => {
  it('is a part of the first', () => {
    assert.equal(changeOf(100, 97), -0.03);
    assert.equal(changeOf(0, 0), 0);
    assert.equal(changeOf(0, 1), undefined);
    assert.equal(changeOf(-2, -1), 0.5);
  });
});
