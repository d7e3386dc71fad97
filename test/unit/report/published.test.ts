/** The published tables, row by row; the numbers are facts of the cover letter's section "Performance testing". */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { published, publishedTables } from '../../../src/report/published.js';
import { publishedV9 } from '../../../src/report/published-v9.js';
import { letterTables } from '../../../src/report/tables.js';
import { measuredSet } from '../../../src/study/cells.js';
import { cellOf, measured, resultOf } from '../../support/results.js';

/** The letter's rows by the titles of their tables, blanks collapsed; `kernels` is the row above the columns. */
const letter: Readonly<Record<string, string>> = {
  '64K folios: usemem30: deflate-iaa:': `mm-unstable-4-21-2025 v9
zswap compressor deflate-iaa deflate-iaa IAA Batching
vs.
IAA Sequential
Total throughput (KB/s) 6,091,607 10,174,344 67%
Avg throughput (KB/s) 203,053 339,144
elapsed time (sec) 100.46 69.70 -31%
sys time (sec) 2,416.97 1,648.37 -32%
memcg_high 1,262,996 1,403,680
memcg_swap_fail 2,712 2,105
zswpout 58,146,954 64,508,450
zswpin 91 256
pswpout 0 0
pswpin 0 0
thp_swpout 0 0
thp_swpout_fallback 0 0
64kB_swpout_fallback 2,712 2,105
pgmajfault 2,858 3,032
ZSWPOUT-64kB 3,631,559 4,029,802
SWPOUT-64kB 0 0`,
  '2M folios: usemem30: deflate-iaa:': `mm-unstable-4-21-2025 v9
zswap compressor deflate-iaa deflate-iaa IAA Batching
vs.
IAA Sequential
Total throughput (KB/s) 6,371,048 11,282,935 77%
Avg throughput (KB/s) 212,368 376,097
elapsed time (sec) 87.15 63.04 -28%
sys time (sec) 2,011.56 1,450.45 -28%
memcg_high 116,156 125,138
memcg_swap_fail 348 248
zswpout 59,815,486 64,509,928
zswpin 442 422
pswpout 0 0
pswpin 0 0
thp_swpout 0 0
thp_swpout_fallback 348 248
pgmajfault 3,575 3,272
ZSWPOUT-2048kB 116,480 125,759
SWPOUT-2048kB 0 0`,
  '64K folios: usemem30: zstd:': `mm-unstable-4-21-2025 v9
zswap compressor zstd zstd v9 zstd
improvement
Total throughput (KB/s) 6,574,380 6,632,230 1%
Avg throughput (KB/s) 219,146 221,074
elapsed time (sec) 96.58 90.60 -6%
sys time (sec) 2,416.52 2,224.78 -8%
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
SWPOUT-64kB 0 0`,
  '2M folios: usemem30: zstd:': `mm-unstable-4-21-2025 v9
zswap compressor zstd zstd v9 zstd
improvement
Total throughput (KB/s) 7,320,278 7,428,055 1%
Avg throughput (KB/s) 244,009 247,601
elapsed time (sec) 83.30 81.60 -2%
sys time (sec) 1,970.89 1,857.70 -6%
memcg_high 92,970 92,708
memcg_swap_fail 59 172
zswpout 48,043,615 47,896,223
zswpin 77 416
pswpout 0 0
pswpin 0 0
thp_swpout 0 0
thp_swpout_fallback 59 172
pgmajfault 2,815 3,170
ZSWPOUT-2048kB 93,776 93,381
SWPOUT-2048kB 0 0`,
  '64K folios: Kernel compilation/allmodconfig:': `mm-unstable v9 mm-unstable v9
zswap compressor deflate-iaa deflate-iaa zstd zstd
real_sec 835.31 837.75 858.73 852.22
user_sec 15,649.58 15,660.48 15,682.66 15,649.91
sys_sec 3,705.03 3,642.59 4,858.46 4,703.58
Max_Res_Set_Size_KB 1,874,524 1,872,200 1,871,248 1,870,972
memcg_high 0 0 0 0
memcg_swap_fail 0 0 0 0
zswpout 89,767,776 91,376,740 76,444,847 73,771,346
zswpin 26,362,204 27,700,717 22,138,662 21,287,433
pswpout 360 574 52 154
pswpin 275 551 19 63
thp_swpout 0 0 0 0
thp_swpout_fallback 0 0 0 0
64kB_swpout_fallback 0 1,523 0 0
pgmajfault 27,938,009 29,559,339 23,339,818 22,458,108
ZSWPOUT-64kB 2,958,806 2,992,126 2,444,259 2,382,986
SWPOUT-64kB 21 30 3 8`,
  '2M folios: Kernel compilation/allmodconfig:': `mm-unstable v9 mm-unstable v9
zswap compressor deflate-iaa deflate-iaa zstd zstd
real_sec 790.66 789.01 818.46 819.08
user_sec 15,757.60 15,759.57 15,785.34 15,777.70
sys_sec 4,307.92 4,184.09 5,602.95 5,582.45
Max_Res_Set_Size_KB 1,871,100 1,872,892 1,872,892 1,872,888
memcg_high 0 0 0 0
memcg_swap_fail 0 0 0 0
zswpout 107,349,845 101,481,140 90,083,661 90,818,923
zswpin 37,486,883 35,081,184 29,823,462 29,597,292
pswpout 3,664 1,191 1,066 1,617
pswpin 1,594 138 37 1,594
thp_swpout 7 2 2 3
thp_swpout_fallback 9,434 8,100 6,354 5,809
pgmajfault 38,781,821 36,235,171 30,677,937 30,442,685
ZSWPOUT-2048kB 8,810 7,772 7,857 8,515`,
};

const collapsed = (line: string): string => line.trim().replace(/\s+/g, ' ');

/** The rows of printed tables by title, without lines, underlines and sources. */
function tablesOf(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split(/\n\n(?= \S)/).map((table) => {
      const [title = '', , ...rows] = table.split('\n').map(collapsed);
      return [title, rows.filter((row) => row !== '' && !/^(-+$|source: |beside: )/.test(row)).join('\n')];
    }),
  );
}

const result = resultOf(
  [
    measured(cellOf('zstd'), { total_throughput_kb_s: 6_000_000, elapsed_s: 100 }, { kernel: '6.18.0' }),
    measured(cellOf('lzo'), { total_throughput_kb_s: 5_000_000, elapsed_s: 120 }, { kernel: '6.18.0' }),
  ],
  { experiment: 'usemem30-64k', source: 'hardware', machine: 'Linux 6.18.0, SPR', workload: 'usemem30' },
);

describe('the published tables', () => {
  it("are the letter's, cell for cell, with every change worked out anew", () => {
    assert.deepEqual(tablesOf(publishedTables(publishedV9)), letter);
  });

  it('say where they are from, and fit into 80 columns', () => {
    const text = publishedTables(publishedV9);
    assert.equal(
      text.match(/^ source: published \(cover letter of zswap compression batching v9/gm)?.length,
      6,
    );
    assert.deepEqual(
      text.split('\n').filter((line) => line.length > 81),
      [],
    );
  });

  it('follow the numbers: another one gives another change', () => {
    const [first, ...more] = publishedV9.cells;
    assert.ok(first !== undefined);
    const cells = [{ ...first, values: { ...first.values, elapsed_s: 69.7 } }, ...more];
    assert.match(publishedTables({ ...publishedV9, cells }), /elapsed time \(sec\) +69\.70 +69\.70 +0%/);
  });

  it('have a name', () => assert.equal(published['v9'], publishedV9));
});

describe('measured cells with published ones beside them', () => {
  const rows = (
    tablesOf(letterTables(measuredSet([result]), publishedV9))['64K folios: usemem30-64k:'] ?? ''
  ).split('\n');

  it('are those of the same workload, folio size and compressor', () => {
    assert.ok(rows.includes('6.18.0 mm-unstable-4-21-2025 v9 6.18.0'), rows.join('\n'));
    assert.ok(rows.includes('zswap compressor zstd zstd zstd lzo'));
    assert.ok(rows.includes('Total throughput (KB/s) 6,000,000 6,574,380 6,632,230 5,000,000'));
  });

  it('name what has no counterpart, and print -- for what nobody counted', () => {
    assert.ok(rows.includes('note lzo: no cell of usemem30, 64k to set beside it'));
    assert.ok(rows.includes('zswpout -- 48,771,672 48,806,988 --'));
  });
});
