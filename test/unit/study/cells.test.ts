import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ParseError, UsageError } from '../../../src/errors.js';
import { publishedV9 } from '../../../src/report/published-v9.js';
import type { CellResult } from '../../../src/study/cell.js';
import { measuredSet, parseCellSet } from '../../../src/study/cells.js';
import { cellOf, measured, resultOf } from '../../support/results.js';

const cell = (compressor: string, zswpout: number, more: Partial<CellResult> = {}): CellResult =>
  measured(cellOf(compressor), { zswpout }, more);

describe('measuredSet', () => {
  it('has the shape and the names of the published data', () => {
    const set = measuredSet([resultOf([cell('zstd', 7)])]);
    assert.deepEqual(set, {
      source: 'emulated',
      machine: 'Linux 7.3',
      hardware: 'QEMU',
      cells: [
        {
          workload: 'usemem2',
          folio: '64k',
          compressor: 'zstd',
          kernel: '7.3',
          store: 'sequential',
          values: { zswpout: 7 },
          experiment: 'x',
          command: 'usemem 64m',
          usesIaa: false,
          n: 1,
          samples: { zswpout: [7] },
          invalid: [],
          failures: [],
          warnings: [],
        },
      ],
    });
    const [published] = publishedV9.cells;
    assert.ok(published !== undefined);
    for (const key of Object.keys(published)) assert.ok(key in (set.cells[0] ?? {}), key);
  });

  it('gives medians and spread of several runs', () => {
    const runs = [5, 1, 3].map((zswpout) => resultOf([cell('zstd', zswpout)]));
    const [only, ...more] = measuredSet(runs).cells;
    assert.deepEqual(more, []);
    assert.deepEqual([only?.n, only?.values, only?.spread], [3, { zswpout: 3 }, { zswpout: [1, 5] }]);
    assert.deepEqual(measuredSet(runs.slice(0, 2)).cells[0]?.values, { zswpout: 3 });
  });

  it('leaves the numbers of invalid and failed cells out, and says why', () => {
    const [only] = measuredSet([
      resultOf([cell('zstd', 5)]),
      resultOf([cell('zstd', 100, { invalid: ['the pool was full'] })]),
      resultOf([cell('zstd', 200, { state: 'failed', failure: 'killed' })]),
    ]).cells;
    assert.deepEqual(only?.values, { zswpout: 5 });
    assert.deepEqual([only?.n, only?.invalid, only?.failures], [1, ['the pool was full'], ['killed']]);
  });

  it('tells kernels apart, and whether IAA batches', () => {
    const { cells } = measuredSet([
      resultOf([cell('deflate-iaa', 1), cell('zstd', 1)]),
      resultOf(['deflate-iaa', 'zstd'].map((name) => cell(name, 2, { kernel: 'v9', batches: true }))),
    ]);
    assert.deepEqual(
      cells.map(({ compressor, kernel, store }) => [compressor, kernel, store]),
      [
        ['deflate-iaa', '7.3', 'sequential'],
        ['zstd', '7.3', 'sequential'],
        ['deflate-iaa', 'v9', 'batch'],
        ['zstd', 'v9', 'sequential'],
      ],
    );
  });

  it('takes repetitions together, leaves warm-ups out, tells settings apart', () => {
    const of = (zswpout: number, more: object) =>
      measured(cellOf('zstd', '64kB', { settings: { 'vm.page-cluster': '0' }, ...more }), { zswpout });
    const { cells } = measuredSet([
      resultOf([
        of(100, { warmUp: true }),
        of(4, {}),
        of(2, { repetition: 2 }),
        of(9, { settings: { 'vm.page-cluster': '3' } }),
      ]),
    ]);
    assert.deepEqual(
      cells.map(({ n, settings, values, samples }) => [n, settings, values['zswpout'], samples?.['zswpout']]),
      [
        [2, { 'vm.page-cluster': '0' }, 3, [4, 2]],
        [1, { 'vm.page-cluster': '3' }, 9, [9]],
      ],
    );
  });

  it('does not mix sources or machines', () => {
    assert.throws(() => measuredSet([resultOf([]), resultOf([], { source: 'model' })]), UsageError);
    assert.throws(() => measuredSet([resultOf([]), resultOf([], { hardware: 'another' })]), UsageError);
    assert.throws(() => measuredSet([]), UsageError);
  });
});

describe('parseCellSet', () => {
  it('reads what --json prints', () => {
    const set = measuredSet([resultOf([cell('zstd', 7)])]);
    const { source, cells } = parseCellSet(JSON.stringify(set), 'x.json');
    assert.equal(source, 'emulated');
    assert.deepEqual(cells[0]?.values, { zswpout: 7 });
    assert.deepEqual(parseCellSet(JSON.stringify(publishedV9), 'x.json'), publishedV9);
  });

  for (const text of [
    '',
    'null',
    '{}',
    '{"source":"x","cells":{}}',
    '{"source":"x","cells":[null]}',
    '{"source":"x","cells":[{"workload":"w","folio":"64k","compressor":"c","kernel":1,"values":{}}]}',
    '{"source":"x","cells":[{"workload":"w","folio":"64k","compressor":"c","kernel":"k"}]}',
    '{"source":"x","cells":[{"workload":"w","folio":"64k","compressor":"c","kernel":"k","values":{"a":"1"}}]}',
    '{"source":"x","cells":[{"workload":"w","folio":"64k","compressor":"c","kernel":"k","store":"heap","values":{}}]}',
  ]) {
    it(`refuses ${text || 'nothing'}`, () => {
      assert.throws(() => parseCellSet(text, 'x.json'), ParseError);
    });
  }
});
