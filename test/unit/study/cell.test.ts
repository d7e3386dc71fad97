import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CellData } from '../../../src/collect/record.js';
import { recorded } from '../../../src/collect/record.js';
import type { Snapshot } from '../../../src/collect/snapshot.js';
import { studyCell } from '../../../src/study/cell.js';
import { cellOf } from '../../support/results.js';
import { smallExperiment } from '../../support/small-machine.js';

const group = '/sys/fs/cgroup/iaa-zswap';
const stats = '/sys/kernel/mm/transparent_hugepage/hugepages-64kB/stats';
const debugfs = '/sys/kernel/debug/zswap';
const parameters = '/sys/module/zswap/parameters';

function snapshot(files: Record<string, string>): Snapshot {
  return { atNs: '0', files, unreadable: {} };
}

const before = {
  '/proc/vmstat':
    'pgmajfault 10\npswpin 0\npswpout 0\nthp_swpout 0\nthp_swpout_fallback 0\nzswpin 5\nzswpout 100\n',
  [`${group}/memory.events`]: 'low 0\nhigh 0\nmax 0\n',
  [`${group}/memory.swap.events`]: 'high 0\nmax 0\nfail 0\n',
  [`${group}/memory.stat`]: 'anon 0\nzswpout 0\n',
  [`${stats}/zswpout`]: '1\n',
  [`${stats}/swpout`]: '0\n',
  [`${stats}/swpout_fallback`]: '0\n',
  [`${parameters}/compressor`]: 'zstd\n',
  [`${parameters}/enabled`]: 'Y\n',
  [`${debugfs}/stored_pages`]: '0\n',
  [`${debugfs}/stored_incompressible_pages`]: '0\n',
  [`${debugfs}/reject_compress_fail`]: '3\n',
  [`${debugfs}/pool_limit_hit`]: '0\n',
};
const after = {
  ...before,
  '/proc/vmstat':
    'pgmajfault 12\npswpin 0\npswpout 0\nthp_swpout 0\nthp_swpout_fallback 0\nzswpin 6\nzswpout 10100\n',
  [`${group}/memory.events`]: 'low 0\nhigh 200\nmax 0\n',
  [`${group}/memory.swap.events`]: 'high 0\nmax 0\nfail 2\n',
  [`${group}/memory.stat`]: 'anon 0\nzswpout 9980\n',
  [`${stats}/zswpout`]: '626\n',
};

function cell(changes: { after?: Record<string, string>; fullest?: Record<string, string> } = {}): CellData {
  return {
    cell: cellOf('zstd'),
    session: 0,
    state: 'complete',
    failure: undefined,
    plan: { cgroup: group } as CellData['plan'],
    receipts: [],
    argv: [],
    exit: {
      exitCode: 0,
      signal: undefined,
      elapsedNs: '2500000000',
      userUs: '100000',
      systemUs: '1900000',
      maxRssKiB: 1,
    },
    before: snapshot(before),
    after: snapshot({ ...after, ...changes.after }),
    fullest: snapshot({ [`${group}/memory.stat`]: 'zswap 565\nzswapped 4096\n', ...changes.fullest }),
    stdout: '75497472 bytes / 1000000 usecs = 73728 KB/s\n75497472 bytes / 2000000 usecs = 36864 KB/s\n',
    stderr: '',
    dmesg: '',
  };
}

const experiment = recorded(smallExperiment());

describe('studyCell', () => {
  it('gives each row of the letter from the counter it stands for', () => {
    const { values, invalid, warnings } = studyCell(cell(), experiment);
    assert.deepEqual(values, {
      total_throughput_kb_s: 110592,
      avg_throughput_kb_s: 55296,
      elapsed_s: 2.5,
      user_s: 0.1,
      sys_s: 1.9,
      memcg_high: 200,
      memcg_swap_fail: 2,
      zswpout: 10000,
      zswpin: 1,
      pswpout: 0,
      pswpin: 0,
      thp_swpout: 0,
      thp_swpout_fallback: 0,
      '64kB_swpout_fallback': 0,
      pgmajfault: 2,
      'ZSWPOUT-64kB': 625,
      'SWPOUT-64kB': 0,
      pages_per_memcg_high: 49.9,
      compressed_bytes_per_page: 565,
      foreign_zswpout: 20,
    });
    assert.deepEqual(invalid, []);
    assert.deepEqual(warnings, []);
  });

  const reasons: [string, Parameters<typeof cell>[0], RegExp][] = [
    [
      'another compressor was in use',
      { after: { [`${parameters}/compressor`]: 'lzo\n' } },
      /compressor was lzo/,
    ],
    ['zswap was off at the end', { after: { [`${parameters}/enabled`]: 'N\n' } }, /disabled/],
    [
      'pages were rejected',
      { after: { [`${debugfs}/reject_compress_fail`]: '9\n' } },
      /reject_compress_fail rose by 6/,
    ],
    [
      'the pool was full',
      { after: { [`${debugfs}/pool_limit_hit`]: '1\n' } },
      /pool_limit_hit rose by 1, the experiment allows 0/,
    ],
    [
      'pages were stored as they are',
      { fullest: { [`${debugfs}/stored_incompressible_pages`]: '4\n' } },
      /4 pages were stored uncompressed/,
    ],
    [
      "the group's own counter says so",
      { fullest: { [`${group}/memory.stat`]: 'zswap 1\nzswapped 4096\nzswap_incomp 2\n' } },
      /2 pages were stored uncompressed/,
    ],
  ];
  for (const [what, changes, expected] of reasons) {
    it(`calls a cell invalid when ${what}`, () => {
      const { invalid } = studyCell(cell(changes), experiment);
      assert.equal(invalid.length, 1);
      assert.match(invalid[0] ?? '', expected);
    });
  }

  it('warns when more than one page in a hundred came from elsewhere', () => {
    const { warnings } = studyCell(
      cell({ after: { [`${group}/memory.stat`]: 'zswpout 9000\n' } }),
      experiment,
    );
    assert.match(warnings.join(), /1000 of 10000 pages went to zswap from outside/);
  });

  it('leaves out what the kernel does not count', () => {
    const { values } = studyCell(cell({ after: { [`${group}/memory.swap.events`]: 'max 0\n' } }), experiment);
    assert.equal('memcg_swap_fail' in values, false);
  });

  it('has no numbers for a cell that never ran', () => {
    const data = {
      ...cell(),
      state: 'failed',
      failure: 'step x: EIO',
      before: undefined,
      exit: undefined,
    } as const;
    assert.deepEqual(studyCell(data, experiment).values, {});
  });
});

describe('a cell of IAA', () => {
  const statistics = (timeouts: number, decompressed: number): string => `global stats:
  total_comp_calls: 7
  total_sw_decomp_calls: ${decompressed}
  total_completion_timeout_errors: ${timeouts}

`;
  function iaaCell(
    dmesg: string | undefined,
    files?: readonly [Record<string, string>, Record<string, string>],
  ) {
    const data = cell();
    const use = { [`${parameters}/compressor`]: 'deflate-iaa\n' };
    const [first, last] = files ?? [{}, {}];
    return studyCell(
      {
        ...data,
        cell: cellOf('deflate-iaa'),
        dmesg,
        before: snapshot({ ...before, ...use, ...first }),
        after: snapshot({ ...after, ...use, ...last }),
      },
      experiment,
    );
  }
  const iaaOf = ({ values }: ReturnType<typeof iaaCell>) => [
    values['iaa_timeouts'],
    values['iaa_sw_fallbacks'],
    values['iaa_disabled'],
  ];
  const line = (what: string): string => `[    9.1] idxd: crypto: iaa_crypto now ${what}\n`;

  it("has the driver's counters, from whichever directory and form the kernel has", () => {
    for (const path of [
      '/sys/kernel/debug/iaa_crypto/global_stats',
      '/sys/kernel/debug/iaa-crypto/wq_stats',
    ]) {
      const files = [{ [path]: statistics(1, 10) }, { [path]: statistics(3, 14) }] as const;
      assert.deepEqual(iaaOf(iaaCell('', files)), [2, 4, 0]);
    }
    const old = '/sys/kernel/debug/iaa_crypto/total_sw_decomp_calls';
    assert.deepEqual(iaaOf(iaaCell('', [{ [old]: '1\n' }, { [old]: '4\n' }])), [undefined, 3, 0]);
  });

  it('does not know what no file shows', () => {
    assert.deepEqual(iaaOf(iaaCell(undefined)), [undefined, undefined, undefined]);
    assert.deepEqual(iaaCell(undefined).invalid, []);
  });

  it('is valid although its steps disabled and enabled the driver', () => {
    const { values, invalid } = iaaCell(line('DISABLED') + line('ENABLED'));
    assert.deepEqual([values['iaa_disabled'], invalid], [0, []]);
  });

  for (const [what, dmesg] of [
    [
      'gave up on the hardware',
      '[ 9.1] idxd 0000:6a:02.0: compress completion timed out - assuming broken hw, iaa_crypto now DISABLED\n',
    ],
    ['lost its last WQ', line('ENABLED') + line('DISABLED')],
  ] as const) {
    it(`is invalid when the driver ${what}`, () => {
      const { values, invalid } = iaaCell(dmesg);
      assert.equal(values['iaa_disabled'], 1);
      assert.match(invalid.join(), /iaa_crypto was DISABLED/);
    });
  }
});
