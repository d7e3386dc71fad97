import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { ExperimentError } from '../../../src/errors.js';
import { aaAxis, type Cell, cellName, cellsOf, experimentOf } from '../../../src/experiment/cells.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import { modelRun } from '../../../src/experiment/modelled.js';
import type { Experiment } from '../../../src/experiment/schema.js';

function experimentWith(matrix: string, more = ''): Experiment {
  const text = `name: x
matrix:
  compressor: [lzo, zstd]
  folio: [64kB, 2M]
${matrix}
${more}
workload: { usemem: { size: 64M } }
`;
  return parseExperiment(text, 'x.yaml');
}

const shown = (cells: readonly Cell[]): string[] =>
  cells.map(({ compressor, folio, kernel, settings, repetition, warmUp }) =>
    [
      compressor,
      folio,
      ...(kernel === undefined ? [] : [kernel]),
      ...Object.values(settings),
      `${warmUp ? 'w' : ''}${repetition}`,
    ].join(' '),
  );

function issuesOf(matrix: string, more?: string): string {
  try {
    experimentWith(matrix, more);
  } catch (error) {
    assert.ok(error instanceof ExperimentError);
    return error.message;
  }
  return assert.fail('no error');
}

describe('what only a modelled machine takes', () => {
  const model = (text: string) => issuesOf('', `model:\n  ${text}`);

  it('is checked as all else, with its line and path', () => {
    assert.match(model('kernels: [v8]'), /:\d+: model\.kernels\[0\]: expected one of mainline 6\.12, /);
    assert.match(model('kernels: [v9, v9]'), /model\.kernels: names a kernel twice/);
    assert.match(model('switches: { batched: true }'), /unknown key; known here: large_folios, /);
    assert.match(model('incompressible_percent: 101'), /must be at most 100/);
    assert.match(model('constants: { "Iaa": 1 }'), /model\.constants/);
    assert.match(model('events: [{ at_s: 1 }]'), /model\.events\[0\]: expected one of cpu_offline, /);
    assert.match(
      model('events: [{ at_s: 1, cpu_offline: 1, cpu_online: 2 }]'),
      /expected one of cpu_offline/,
    );
    assert.match(model('events: [{ at_s: 1, wq_unbind: iax1 }]'), /expected a WQ as wq1\.0/);
  });

  it('can be an axis', () => {
    const cells = cellsOf(experimentWith('  model.switches.batched_store: [false, true]'));
    assert.deepEqual(
      new Set(cells.map(({ settings }) => settings['model.switches.batched_store'])),
      new Set(['false', 'true']),
    );
    const experiment = experimentWith('  model.mapping: [package]');
    const [cell] = cellsOf(experiment);
    assert.ok(cell);
    assert.equal(experimentOf(experiment, cell).model?.mapping, 'package');
  });

  it('is what the next workload runs with', () => {
    const experiment = experimentWith(
      '',
      `seed: 7
repetitions: 2
model:
  switches: { batched_store: false }
  constants: { iaa_service: 900 }
  incompressible_percent: 0.5
  events:
    - { at_s: 1.5, cpu_offline: 3 }
    - { at_s: 2, memory.high: 1G }
    - { at_s: 3, memory.max: max }
    - { at_s: 4, zswap.enabled: false }
    - { at_s: 5, zswap.compressor: zstd }
    - { at_s: 6, wq_bind: wq1.0 }
    - { at_s: 7, device_loss: iax1 }
    - { at_s: 8, zswap.max_pool_percent: 10 }`,
    );
    const cells = cellsOf(experiment);
    const [first, ...others] = cells.map((cell) => modelRun(experiment, cell));
    assert.deepEqual(first, {
      seed: 7,
      switches: { batchedStore: false },
      mapping: undefined,
      constants: { iaa_service: 900 },
      events: [
        { atNs: 1_500_000_000, kind: 'cpu-offline', cpu: 3 },
        { atNs: 2_000_000_000, kind: 'memory-high', bytes: 2 ** 30 },
        { atNs: 3_000_000_000, kind: 'memory-max', bytes: undefined },
        { atNs: 4_000_000_000, kind: 'zswap-enabled', value: 0 },
        { atNs: 5_000_000_000, kind: 'compressor', compressor: 'zstd' },
        { atNs: 6_000_000_000, kind: 'wq-bind', wq: 'wq1.0' },
        { atNs: 7_000_000_000, kind: 'device-loss', device: 'iax1' },
        { atNs: 8_000_000_000, kind: 'max-pool-percent', value: 10 },
      ],
      incompressiblePerMillion: 5000,
      calibrated: true,
      exact: false,
    });
    // Points of a repetition share its seed.
    assert.equal(new Set([first, ...others].map((run) => run?.seed)).size, 2);
  });
});

describe('the cells of a matrix', () => {
  it('are interleaved: every point once, then all again', () => {
    assert.deepEqual(shown(cellsOf(experimentWith('', 'repetitions: 2\nwarm_up: 1'))), [
      ...['lzo 64kB w1', 'zstd 64kB w1', 'lzo 2048kB w1', 'zstd 2048kB w1'],
      ...['lzo 64kB 1', 'zstd 64kB 1', 'lzo 2048kB 1', 'zstd 2048kB 1'],
      ...['lzo 64kB 2', 'zstd 64kB 2', 'lzo 2048kB 2', 'zstd 2048kB 2'],
    ]);
  });

  it('come all of a point, one after another, when grouped', () => {
    const cells = shown(cellsOf(experimentWith('', 'repetitions: 2\norder: grouped\nwarm_up: 1')));
    assert.deepEqual(cells.slice(0, 4), ['lzo 64kB w1', 'lzo 64kB 1', 'lzo 64kB 2', 'zstd 64kB w1']);
  });

  it('go through kernels one by one, each with its warm-ups, and number all', () => {
    const cells = cellsOf(
      experimentWith('  kernel: [6.18.0, { name: v9, release: 6.15.0-v9+ }]', 'warm_up: 1'),
    );
    assert.equal(cells.length, 16);
    assert.deepEqual(shown(cells).slice(4, 9), [
      'lzo 64kB 6.18.0 1',
      'zstd 64kB 6.18.0 1',
      'lzo 2048kB 6.18.0 1',
      'zstd 2048kB 6.18.0 1',
      'lzo 64kB v9 w1',
    ]);
    assert.deepEqual(
      cells.map(({ number }) => number),
      cells.map((_, index) => index + 1),
    );
  });

  it('have the values of their axes, by their names, whatever their keys are', () => {
    const experiment = experimentWith(
      `  vm.page-cluster: [0, 3]
  cgroup.memory.high: [32M, max]
  iaa.wqs:
    one: [{ size: 128 }]
    two: [{ size: 64 }, { size: 64 }]`,
      'vm: { swappiness: 60 }',
    );
    const cells = cellsOf(experiment);
    assert.equal(cells.length, 2 * 2 * 2 * 4);
    assert.equal(
      cellName(cells[0] as Cell),
      'lzo, 64kB, vm.page-cluster 0, cgroup.memory.high 32M, iaa.wqs one',
    );
    const last = experimentOf(experiment, cells.at(-1) as Cell);
    assert.deepEqual(last.vm, { swappiness: 60, 'page-cluster': 3 });
    assert.equal(last.cgroup['memory.high'], 'max');
    assert.deepEqual(
      last.iaa?.wqs?.map(({ size }) => size),
      [64, 64],
    );
    assert.equal(experimentOf(experiment, cells[0] as Cell).cgroup['memory.high'], 32n * 2n ** 20n);
    assert.deepEqual(experiment.vm, { swappiness: 60 });
  });

  it('may have values that only go together', () => {
    const experiment = experimentWith(
      '  workload.usemem.content: [random, "ratio:2"]\n  workload.usemem.seed: [1, 2]',
    );
    const { workload } = experimentOf(experiment, cellsOf(experiment).at(-1) as Cell);
    assert.deepEqual([workload.usemem?.content, workload.usemem?.seed], ['ratio:2', 2]);
  });

  it('of --aa are twins next to each other, each first in every other round', () => {
    const experiment = experimentWith('', 'repetitions: 2');
    const { matrix } = experiment;
    const cells = cellsOf({ ...experiment, matrix: { ...matrix, axes: [aaAxis] } });
    const names = cells.map(({ compressor, settings }) => `${compressor} ${settings['aa']}`);
    assert.deepEqual(names.slice(0, 4), ['lzo A', 'lzo B', 'zstd A', 'zstd B']);
    assert.deepEqual(names.slice(8, 12), ['lzo B', 'lzo A', 'zstd B', 'zstd A']);
  });

  it('of a random order are the same for a seed; each round has every point once', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 2 ** 31 - 1 }),
        fc.integer({ min: 1, max: 5 }),
        (seed, repetitions) => {
          const text = `seed: ${seed}\nrepetitions: ${repetitions}\norder: random`;
          const cells = cellsOf(experimentWith('  vm.swappiness: [1, 2, 3]', text));
          assert.deepEqual(cells, cellsOf(experimentWith('  vm.swappiness: [1, 2, 3]', text)));
          for (let round = 0; round < repetitions; round++) {
            const points = cells.slice(round * 12, round * 12 + 12);
            assert.equal(new Set(shown(points)).size, 12);
            assert.ok(points.every(({ repetition }) => repetition === round + 1));
          }
        },
      ),
      { numRuns: 30 },
    );
    const orders = [1, 2, 3, 4].map((seed) =>
      shown(cellsOf(experimentWith('  vm.swappiness: [1, 2]', `order: random\nseed: ${seed}`))).join(),
    );
    assert.equal(new Set(orders).size, 4);
  });
});

describe('a matrix is refused', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [
      'with an axis that is no key',
      '  vm.pagecluster: [0]',
      /^x\.yaml:5: matrix\."vm\.pagecluster": cannot differ/,
    ],
    [
      'with an axis of a part that cannot differ',
      '  name: [a, b]',
      /^x\.yaml:5: matrix\.name: cannot differ/,
    ],
    ['with a value that the key does not take', '  vm.page-cluster: [0, 11]', /: 11: must be at most 10$/m],
    ['with a value of another type', '  vm.page-cluster: [a]', /: a: expected number$/m],
    ['with no values', '  vm.page-cluster: []', /must not be empty/],
    ['with a value twice', '  vm.page-cluster: [1, 1]', /has a value twice/],
    ['with one plain value', '  vm.page-cluster: 1', /expected a list of plain values, or a map/],
    [
      'with lists as plain values',
      '  iaa.wqs: [[{ size: 64 }]]',
      /expected a list of plain values, or a map/,
    ],
    ['with a kernel twice', '  kernel: [6.18.0, 6.18.0]', /names a kernel twice/],
    ['with a kernel that is none', '  kernel: ["6 18"]', /expected a kernel release as uname -r prints it/],
    [
      'with a key of a kernel that is none',
      '  kernel: [{ name: a, releases: b }]',
      /expected a kernel release/,
    ],
    ['with the prototype as an axis', '  __proto__.x: [1]', /cannot differ/],
    [
      'with values that cannot be together',
      '  workload.usemem.content: [counter, random]\n  workload.usemem.seed: [1]',
      /: matrix\."workload\.usemem\.seed": 1: only random and ratio contents and a random order have a seed \(with workload\.usemem\.content counter\)$/,
    ],
  ];
  for (const [what, matrix, expected] of cases) {
    it(what, () => assert.match(issuesOf(matrix), expected));
  }

  it('with too many combinations', () => {
    const hundred = Array.from({ length: 101 }, (_, index) => index).join(', ');
    assert.match(
      issuesOf(`  vm.swappiness: [${hundred}]\n  vm.vfs_cache_pressure: [${hundred}]`),
      /more than 1000 combinations/,
    );
  });
});
