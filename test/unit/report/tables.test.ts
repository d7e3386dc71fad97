import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { publishedV9 } from '../../../src/report/published-v9.js';
import { letterTables } from '../../../src/report/tables.js';
import type { CellResult, Values } from '../../../src/study/cell.js';
import { measuredSet } from '../../../src/study/cells.js';
import { cellOf, measured, resultOf } from '../../support/results.js';

/** The cover letter's own cells: 64K folios, zstd, both kernels (as two columns). */
const letter: CellResult[] = [
  ['mm-unstable', 6574380, 219146, 96.58, 2416.52, 1117577, 65, 48771672, 137, 65, 3286, 3048122],
  ['v9', 6632230, 221074, 90.6, 2224.78, 1110504, 2217, 48806988, 429, 2217, 3224, 3048198],
].map(([name, total, avg, elapsed, sys, high, fail, out, inn, fallback, fault, zout], index) =>
  measured(cellOf(String(name), '64kB', { number: index + 1 }), {
    total_throughput_kb_s: Number(total),
    avg_throughput_kb_s: Number(avg),
    elapsed_s: Number(elapsed),
    sys_s: Number(sys),
    memcg_high: Number(high),
    memcg_swap_fail: Number(fail),
    zswpout: Number(out),
    zswpin: Number(inn),
    pswpout: 0,
    pswpin: 0,
    thp_swpout: 0,
    thp_swpout_fallback: 0,
    '64kB_swpout_fallback': Number(fallback),
    pgmajfault: Number(fault),
    'ZSWPOUT-64kB': Number(zout),
    'SWPOUT-64kB': 0,
  }),
);

const head = { experiment: 'usemem30', source: 'hardware', machine: 'SPR', workload: 'usemem30' } as const;
const tables = (cells: readonly CellResult[]): string => letterTables(measuredSet([resultOf(cells, head)]));
const collapsed = (text: string) => text.split('\n').map((line) => line.trim().replace(/\s+/g, ' '));

describe('letterTables', () => {
  it("prints the letter's rows in its order with its numbers", () => {
    const lines = collapsed(tables(letter));
    // "64K folios: usemem30: zstd" of the v9 cover letter, blanks collapsed.
    const rows = `Total throughput (KB/s) 6,574,380 6,632,230
Avg throughput (KB/s) 219,146 221,074
elapsed time (sec) 96.58 90.60
sys time (sec) 2,416.52 2,224.78
memcg_high 1,117,577 1,110,504
memcg_swap_fail 65 2,217
zswpout 48,771,672 48,806,988
zswpin 137 429
pswpout 0 0
pswpin 0 0
thp_swpout 0 0
thp_swpout_fallback 0 0
64kB_swpout_fallback 65 2,217
pgmajfault 3,286 3,224
ZSWPOUT-64kB 3,048,122 3,048,198
SWPOUT-64kB 0 0`.split('\n');
    const printed = lines.filter((line) => rows.includes(line));
    assert.deepEqual(printed, rows);
    assert.ok(lines.includes('source: hardware (SPR)'));
    assert.ok(lines.includes('64K folios: usemem30:'));
  });

  it('sets cells of the same kernel beside each other, and tells which are from where', () => {
    const twoKernels = letter.map((cell, index) => ({
      ...cell,
      cell: { ...cell.cell, compressor: 'zstd' },
      kernel: index === 0 ? 'mm-unstable-4-21-2025' : 'v9',
    }));
    const modelled = { ...head, source: 'model' } as const;
    const lines = collapsed(letterTables(measuredSet([resultOf(twoKernels, modelled)]), publishedV9));
    assert.ok(lines.includes('model published model published model published'));
    assert.ok(lines.includes('mm-unstable-4-21-2025 mm-unstable-4-21-2025 v9 v9'));
    assert.ok(lines.includes('elapsed time (sec) 96.58 96.58 90.60 90.60 -6% -6%'));
  });

  it('prints no number of an invalid or failed cell, but says why', () => {
    const [first, second] = letter;
    assert.ok(first && second);
    const text = tables([
      { ...first, invalid: ['pool_limit_hit rose by 7, the experiment allows 0'] },
      { ...second, state: 'failed', failure: 'the workload was ended by SIGKILL' },
    ]);
    assert.doesNotMatch(text, /6,574,380|6,632,230/);
    assert.match(text, /INVALID mm-unstable: pool_limit_hit rose by 7/);
    assert.match(text, /FAILED {2}v9: the workload was ended by SIGKILL/);
  });

  it('prints -- for a counter the kernel does not have, and a table for each folio size', () => {
    const [first] = letter;
    assert.ok(first);
    const { 'ZSWPOUT-64kB': _, ...values } = first.values;
    const text = tables([
      { ...first, values },
      { ...first, cell: cellOf('zstd', '2048kB') },
    ]);
    assert.ok(collapsed(text).includes('ZSWPOUT-64kB --'));
    assert.match(text, /64K folios[\s\S]*2M folios/);
    // As in the letter's 2M tables: folios of the PMD's size fall back in thp_swpout_fallback alone.
    assert.doesNotMatch(text, /2048kB_swpout_fallback/);
  });

  it('prints a build as the letter does: all kernels and compressors side by side', () => {
    const values = {
      real_s: 835.31,
      user_s: 15649.58,
      sys_s: 3705.03,
      max_rss_kb: 1874524,
      zswpout: 89767776,
    };
    const lines = collapsed(
      letterTables(
        measuredSet([
          resultOf([measured(cellOf('zstd'), values)], { ...head, workload: 'kernel-build-tinyconfig' }),
        ]),
      ),
    );
    assert.deepEqual(
      lines.filter((line) => /^(real|user|sys|Max|zswpout \d)/.test(line)),
      [
        'real_sec 835.31',
        'user_sec 15,649.58',
        'sys_sec 3,705.03',
        'Max_Res_Set_Size_KB 1,874,524',
        'zswpout 89,767,776',
      ],
    );
    assert.ok(lines.includes('pages per memcg_high --'));
  });

  it('prints rows of their own for madvise and for commands', () => {
    const linesOf = (workload: string, values: Values) =>
      collapsed(
        letterTables(measuredSet([resultOf([measured(cellOf('zstd'), values)], { ...head, workload })])),
      );
    const madvise = linesOf('madvise4', { pageout_p50_ns: 706.2, readback_p99_ns: 2000, left_pages: 3 });
    for (const line of [
      'page out p50 (ns/page) 706.2',
      'read back p99 (ns/page) 2,000.0',
      'left in memory 3',
      'zswpout --',
    ])
      assert.ok(madvise.includes(line), line);
    const command = linesOf('redis', { total_throughput: 1234.5, elapsed_s: 1, max_rss_kb: 7 });
    for (const line of [
      'throughput 1,234.50',
      'elapsed time (sec) 1.00',
      'Max_Res_Set_Size_KB 7',
      'zswpout --',
    ])
      assert.ok(command.includes(line), line);
  });

  it('compares two kernels for each compressor, and says what IAA did not show', () => {
    const cells = ['deflate-iaa', 'zstd'].flatMap((compressor) =>
      ['base', 'v9'].map((kernel, index) =>
        measured(
          cellOf(compressor, '64kB', { kernel }),
          { total_throughput_kb_s: 100 + 50 * index, ...(index === 1 ? { iaa_sw_fallbacks: 3 } : {}) },
          { kernel, batches: kernel === 'v9' },
        ),
      ),
    );
    const lines = collapsed(tables(cells));
    for (const line of [
      '64K folios: usemem30: deflate-iaa:',
      '64K folios: usemem30: zstd:',
      'base v9',
      'zswap compressor deflate-iaa deflate-iaa IAA Batching',
      'zswap compressor zstd zstd v9 zstd',
      'Total throughput (KB/s) 100 150 50%',
      'software fallbacks not observable 3',
      'descriptor time-outs not observable not observable',
    ])
      assert.ok(lines.includes(line), `${line} in ${lines.join('\n')}`);
    assert.equal(lines.filter((line) => line.startsWith('software fallbacks')).length, 1);
  });

  it('gives the interval of the median from six repetitions on, and each note once', () => {
    const cells = [1, 2, 3, 4, 5, 6].map((repetition) =>
      measured(cellOf('zstd', '64kB', { repetition }), { elapsed_s: repetition }, { warnings: ['odd'] }),
    );
    const lines = collapsed(tables(cells));
    assert.ok(lines.includes('elapsed time spread 1.00..6.00'));
    assert.ok(
      lines.includes('elapsed time 95% 1.50..5.50') || lines.some((line) => /^elapsed time 95% /.test(line)),
    );
    assert.ok(lines.includes('note zstd: odd (6 times)'));
    assert.ok(!collapsed(tables(cells.slice(1))).some((line) => line.startsWith('elapsed time 95%')));
  });

  it('gives medians of repetitions with their spread, and other axes tables of their own', () => {
    const cells = ['0', '3'].flatMap((cluster) =>
      [1, 2, 3].map((repetition) =>
        measured(cellOf('zstd', '64kB', { repetition, settings: { 'vm.page-cluster': cluster } }), {
          total_throughput_kb_s: 1000 * repetition + Number(cluster),
        }),
      ),
    );
    const lines = collapsed(tables(cells));
    for (const line of [
      '64K folios: usemem30: vm.page-cluster 0:',
      '64K folios: usemem30: vm.page-cluster 3:',
      'Total throughput (KB/s) 2,000',
      'Total throughput spread 1,000..3,000',
      'Total throughput spread 1,003..3,003',
      'n 3',
    ])
      assert.ok(lines.includes(line), `${line} in ${lines.join('\n')}`);
  });
});
