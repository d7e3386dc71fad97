import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CellData, recorded } from '../../../src/collect/record.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import { studyWorkload, workloadName } from '../../../src/study/workload.js';

const partOf = (workload: string) =>
  recorded(
    parseExperiment(
      `name: x\nmatrix: { compressor: [zstd], folio: [64kB] }\nworkload: { ${workload} }\n`,
      'x.yaml',
    ),
  ).workload;

function dataOf(stdout: string, state: CellData['state'] = 'complete'): CellData {
  return {
    stdout,
    state,
    exit: {
      exitCode: 0,
      signal: undefined,
      elapsedNs: '835310000000',
      userUs: '15649580000',
      systemUs: '3705030000',
      maxRssKiB: 1874524,
    },
  } as CellData;
}

const times = { elapsed_s: 835.31, user_s: 15649.58, sys_s: 3705.03 };

describe('a workload is called', () => {
  for (const [workload, name] of [
    ['usemem: { processes: 30, size: 1M }', 'usemem30'],
    ['madvise: { processes: 4, size: 1M }', 'madvise4'],
    ['build: { config: allmodconfig }', 'kernel-build-allmodconfig'],
    ['build: { config: none, source: /srv/lua-5.4/ }', 'build-lua-5.4'],
    ['command: { argv: [/usr/bin/redis-benchmark, -q] }', 'redis-benchmark'],
    ['command: { argv: [/usr/bin/redis-benchmark], name: kv }', 'kv'],
  ] as const) {
    it(`${name}: ${workload}`, () => assert.equal(workloadName(partOf(workload)), name));
  }
});

describe('the numbers of a workload', () => {
  it("are the letter's rows for a build, from wait4", () => {
    const { values } = studyWorkload(dataOf(''), partOf('build: { config: allmodconfig }'));
    // kernel-build-allmodconfig, 64k, deflate-iaa, mm-unstable of the published data.
    assert.deepEqual(values, {
      real_s: 835.31,
      user_s: 15649.58,
      sys_s: 3705.03,
      max_rss_kb: 1874524,
    });
  });

  it("are usemem's throughput without what it read again", () => {
    const stdout =
      '75497472 bytes / 1000000 usecs = 73728 KB/s\nread again 67108864 bytes / 1000000 usecs = 65536 KB/s\n';
    const { values, invalid } = studyWorkload(
      dataOf(stdout),
      partOf('usemem: { size: 64M, read_again: true }'),
    );
    assert.deepEqual(values, { total_throughput_kb_s: 73728, avg_throughput_kb_s: 73728, ...times });
    assert.deepEqual(invalid, []);
  });

  const lines = (gone: number, left: number) =>
    `asked for 1000 pages: ${gone} were gone before, ${left} were left
pageout 984 pages: p50 706.2 ns, p99 763.0 ns a page
readback 984 pages: p50 1500.0 ns, p99 2000.0 ns a page
`;
  const madvise = partOf('madvise: { size: 1M }');

  it("are madvise's percentiles", () => {
    const { values, invalid, warnings } = studyWorkload(dataOf(lines(0, 0)), madvise);
    assert.deepEqual(values, {
      pageout_p50_ns: 706.2,
      pageout_p99_ns: 763,
      readback_p50_ns: 1500,
      readback_p99_ns: 2000,
      asked_pages: 1000,
      gone_pages: 0,
      left_pages: 0,
      ...times,
    });
    assert.deepEqual([...invalid, ...warnings], []);
  });

  it('are doubtful when the kernel did not do what it was advised to', () => {
    const few = studyWorkload(dataOf(lines(0, 10)), madvise);
    assert.deepEqual(few.invalid, []);
    assert.match(few.warnings.join(), /^10 of 1000 pages stayed in memory/);
    const many = studyWorkload(dataOf(lines(1, 10)), madvise);
    assert.equal(many.invalid.length, 2);
    assert.match(
      many.invalid.join(),
      /^1 of 1000 pages were gone before.*,10 of 1000 pages stayed in memory/,
    );
    assert.deepEqual(many.warnings, []);
  });

  it('are none where the output is not its own, and the rest of the cell is told', () => {
    for (const [stdout, part] of [
      ['Killed\n', madvise],
      ['Killed\n', partOf('usemem: { size: 1M }')],
    ] as const) {
      const { values, invalid } = studyWorkload(dataOf(stdout), part);
      assert.deepEqual(values, times);
      assert.match(invalid.join(), /^output of \w+(:1)?: expected /);
    }
    assert.deepEqual(studyWorkload(dataOf('', 'failed'), madvise).invalid, []);
  });

  it("are a command's own, summed over the lines that match", () => {
    const part = partOf(`command: { argv: [/bin/x], throughput: '^ops: ([0-9.]+)' }`);
    const stdout = `ops: 1.5\nwarm-up ops: 100\nops: 2.5 a second\nops: .\n${'ops: 9'.padEnd(2000, '9')}\n`;
    assert.deepEqual(studyWorkload(dataOf(stdout), part).values, {
      total_throughput: 4,
      ...times,
      max_rss_kb: 1874524,
    });
    assert.equal(studyWorkload(dataOf(''), part).values['total_throughput'], undefined);
  });
});
