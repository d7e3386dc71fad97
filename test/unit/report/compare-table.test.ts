import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareTables, gateLines } from '../../../src/report/compare-table.js';
import { compare } from '../../../src/study/compare.js';
import { gate, parseCondition } from '../../../src/study/gate.js';
import type { SampledCell, SampledSet } from '../../../src/study/points.js';

const steps = (middle: number, step: number, n: number): number[] =>
  Array.from({ length: n }, (_, index) => middle + step * (index - (n - 1) / 2));

function cell(compressor: string, kernel: string, samples: SampledCell['samples']): SampledCell {
  return { workload: 'usemem30', folio: '64k', compressor, kernel, samples };
}

function set(name: string, ...cells: SampledCell[]): SampledSet {
  return { name, source: 'hardware', machine: 'Xeon 8480+, 224 CPUs', cells };
}

const base = set(
  'usemem30-a',
  cell('deflate-iaa', '6.15', {
    // In no table's order; the last two are in none.
    zswpout: steps(58_000_000, 100_000, 10),
    sys_s: steps(2416.5, 2, 10),
    total_throughput_kb_s: steps(6_000_000, 20_000, 10),
    pswpout: steps(0, 0, 10),
    pswpin: steps(0, 0, 10),
    '64kB_swpout_fallback': steps(0, 0, 10),
    memcg_swap_fail: steps(3, 0, 10),
    my_rate: steps(1.5, 0.01, 10),
    my_count: steps(7, 0, 10),
  }),
  cell('zstd', '6.15', { total_throughput_kb_s: steps(6_500_000, 20_000, 3), zswpin: [1, 2, 3] }),
  cell('lzo', '6.15', { total_throughput_kb_s: [1] }),
);
const changed = set(
  'usemem30-b',
  cell('deflate-iaa', '6.15-v9', {
    total_throughput_kb_s: steps(9_000_000, 20_000, 8),
    sys_s: steps(1700, 50, 8),
    zswpout: steps(64_000_000, 100_000, 8),
    pswpout: steps(0, 0, 8),
    pswpin: steps(0, 0, 8),
    '64kB_swpout_fallback': steps(20, 1, 8),
    my_rate: steps(1.5, 0.01, 8),
    my_count: steps(7, 0, 8),
  }),
  cell('zstd', '6.15-v9', { total_throughput_kb_s: steps(6_500_000, 20_000, 3), zswpin: [1] }),
  cell('lz4', '6.15-v9', { total_throughput_kb_s: [1] }),
);

describe('compareTables', () => {
  it('sets medians, scatter, change and test side by side, and says what the signs mean', () => {
    assert.equal(
      compareTables(compare(base, changed)),
      ` Comparison: usemem30:
 =====================
 source: hardware (Xeon 8480+, 224 CPUs)
 base:   usemem30-a
 new:    usemem30-b
 kernel: 6.15 -> 6.15-v9
 --------------------------------------------------------------------------------------------
                                  base                  new            change
 --------------------------------------------------------------------------------------------
 64k, deflate-iaa
 Total throughput (KB/s)     6,000,000 ±0.8%      9,000,000 ±0.6%     +50.00%  p<0.001 n=10+8
 sys time (sec)               2,416.50 ±0.2%       1,700.00 ±7.4%     -29.65%
 memcg_swap_fail                     3 ±0.0%             --                --
 zswpout                    58,000,000 ±0.4%     64,000,000 ±0.4%     +10.34%
 64kB_swpout_fallback                0 ±0.0%             20 ±13%           --
 my_rate                          1.50 ±1.7%           1.50 ±1.7%       0.00%
 my_count                            7 ±0.0%              7 ±0.0%       0.00%
 always 0: pswpout, pswpin
 --------------------------------------------------------------------------------------------
 64k, zstd
 Total throughput (KB/s)     6,500,000 ±0.3%*     6,500,000 ±0.3%*          ~  p=1.000 n=3
 zswpin                              2 ±50%*              1           -50.00%
 --------------------------------------------------------------------------------------------
 ± 95% interval of the median (bootstrap)
 ±* range of the values: fewer than 6 have no 95% interval
 p two-sided Mann-Whitney, of this one row; ~ where it is not below 0.05
   the other rows are described, not tested
 note    too few repetitions for any difference to be significant: it takes 4 on both sides
 note    usemem30: 64k, lzo: not in usemem30-b
 note    usemem30: 64k, lz4: not in usemem30-a
`,
    );
  });

  it('has a table for each workload, and says nothing of signs that are not there', () => {
    const side = (name: string): SampledSet => ({
      ...set(name),
      cells: ['kernel-build-tinyconfig', 'fio'].map((workload) => ({
        ...cell('zstd', '6.15', { real_s: steps(10, 0.1, 6), x: [1] }),
        workload,
      })),
    });
    const text = compareTables(compare(side('a'), side('b')));
    assert.deepEqual(text.match(/^ Comparison: .*$/gm), [
      ' Comparison: kernel-build-tinyconfig:',
      ' Comparison: fio:',
    ]);
    assert.match(text, /^ real_sec +10\.00 ±2\.0% +10\.00 ±2\.0% +~ {2}p=1\.000 n=6$/m);
    assert.doesNotMatch(text, /±\*|note|kernel:/);
  });

  it('keeps to its width', () => {
    const keys = Array.from({ length: 40 }, (_, index) => `counter_${index}`);
    const samples = Object.fromEntries(keys.map((key) => [key, [0, 0]]));
    const lines = compareTables(
      compare(set('a', cell('zstd', '1', samples)), set('b', cell('zstd', '1', samples))),
    ).split('\n');
    const width = lines.find((line) => line.startsWith(' ---'))?.length ?? 0;
    assert.ok(lines.every((line) => line.length <= width));
    for (const key of keys) assert.ok(lines.some((line) => new RegExp(`\\b${key}\\b`).test(line)));
  });
});

describe('gateLines', () => {
  const conditions = ['throughput < -3%', 'sys > 10%'].map(parseCondition);
  const [iaa, newIaa] = [base.cells[0], changed.cells[0]] as [SampledCell, SampledCell];

  it('tells of each check why it fires or not', () => {
    assert.equal(
      gateLines(gate(conditions, set('b', newIaa), set('a', iaa))),
      ` gate: false alarms at most 1%, p < 0.005 in each of 2 checks; sd of the records themselves
 FAILED  throughput < -3%  usemem30: 64k, deflate-iaa: -33.33%, p=2.3e-5, sd 0.62%
 FAILED  sys > 10%  usemem30: 64k, deflate-iaa: +42.15%, p=2.3e-5, sd 4.77%
`,
    );
    assert.equal(
      gateLines(gate(conditions.slice(1), set('a', iaa), set('a2', iaa), set('noise', iaa))),
      ` gate: false alarms at most 1%; sd of noise
 ok      sys > 10%  usemem30: 64k, deflate-iaa: 0.00%, p=0.53, sd 0.25% (within the threshold, within one sd, p not below 0.01)
`,
    );
  });

  it('has numbers where there are no percent', () => {
    const side = (name: string, values: number[]) => set(name, cell('zstd', '1', { pswpout: values }));
    const result = gate(
      [parseCondition('pswpout > 5%')],
      side('a', steps(0, 0, 6)),
      side('b', steps(50, 1, 6)),
    );
    assert.match(
      gateLines(result),
      /FAILED {2}pswpout > 5% {2}usemem30: 64k, zstd: 0 -> 50, p=0\.0011, sd 1\.3/,
    );
  });
});
