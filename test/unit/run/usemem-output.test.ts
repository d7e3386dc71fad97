import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  averageThroughput,
  parseUsemem,
  totalThroughput,
  type UsememProcess,
} from '../../../src/run/usemem-output.js';
import { parseErrorAt } from '../../support/malformed.js';

const two = `the initialization time is 2 secs 345 usecs
12079595520 bytes / 58097421 usecs = 203046 KB/s
12079595520 bytes / 1000000 usecs = 11796480 KB/s
417 usecs to free memory
90 usecs to free memory
`;

describe('parseUsemem', () => {
  test('reads every line that usemem prints', () => {
    assert.deepEqual(parseUsemem(two), {
      initUsecs: 2_000_345n,
      processes: [
        { bytes: 12079595520n, usecs: 58097421n, kbPerSec: 203046n },
        { bytes: 12079595520n, usecs: 1000000n, kbPerSec: 11796480n },
      ],
      readAgain: [],
      freeUsecs: [417n, 90n],
    });
  });

  test('takes lines in any order, and as few as a workload that was killed has printed', () => {
    assert.deepEqual(parseUsemem('90 usecs to free memory\n9 bytes / 1 usecs = 8789 KB/s\n'), {
      initUsecs: undefined,
      processes: [{ bytes: 9n, usecs: 1n, kbPerSec: 8789n }],
      readAgain: [],
      freeUsecs: [90n],
    });
    assert.deepEqual(parseUsemem(''), {
      initUsecs: undefined,
      processes: [],
      readAgain: [],
      freeUsecs: [],
    });
  });

  test('keeps what was read again apart, and no dots of the original', () => {
    const text =
      '..9 bytes / 1 usecs = 8789 KB/s\n.read again 8 bytes / 1 usecs = 7812 KB/s\n.90 usecs to free memory\n';
    assert.deepEqual(parseUsemem(text), {
      initUsecs: undefined,
      processes: [{ bytes: 9n, usecs: 1n, kbPerSec: 8789n }],
      readAgain: [{ bytes: 8n, usecs: 1n, kbPerSec: 7812n }],
      freeUsecs: [90n],
    });
  });

  test('keeps numbers beyond 2^53 exact', () => {
    const text = '18446744073709551615 bytes / 18446744073709551615 usecs = 976 KB/s\n';
    assert.deepEqual(parseUsemem(text).processes, [
      { bytes: 18446744073709551615n, usecs: 18446744073709551615n, kbPerSec: 976n },
    ]);
  });

  const malformed: readonly [what: string, text: string, line: number][] = [
    ['a foreign line', `${two}Killed\n`, 6],
    ['an empty line', `\n${two}`, 1],
    ['two lines run together', two.replace('KB/s\n12', 'KB/s12'), 2],
    ['a rate that does not follow', two.replace('= 203046', '= 203047'), 2],
    ['no time at all', '9 bytes / 0 usecs = 8789 KB/s\n', 1],
    ['a negative number', two.replace('417', '-417'), 4],
    ['more than 64 bits', two.replace('417', '100000000000000000000'), 4],
    ['a second initialization', `${two}the initialization time is 0 secs 1 usecs\n`, 6],
    ['a line that was cut off', two.slice(0, -20), 5],
    ['a rate that was cut off', two.slice(0, two.indexOf('46 KB/s')), 2],
    ['a rate of reading that does not follow', 'read again 9 bytes / 1 usecs = 8790 KB/s\n', 1],
    ['another kind of reading', 'read once 9 bytes / 1 usecs = 8789 KB/s\n', 1],
    ['dots and nothing else', '...\n', 1],
  ];
  for (const [what, text, line] of malformed) {
    test(`refuses ${what}`, () => {
      assert.throws(() => parseUsemem(text), parseErrorAt('output of usemem', line));
    });
  }
});

describe('throughput', () => {
  /** Thirty processes whose rates add up to `total`, none like the next. */
  function thirty(total: bigint): UsememProcess[] {
    const rates = Array.from({ length: 29 }, (_, index) => total / 31n + BigInt(index));
    rates.push(total - rates.reduce((sum, rate) => sum + rate, 0n));
    return rates.map((kbPerSec) => ({ bytes: 12079595520n, usecs: 1n, kbPerSec }));
  }

  // Every pair that the cover letter of v9 prints, sequential and batching: Total and Avg of 30 processes.
  const published: readonly [cell: string, total: bigint, average: bigint][] = [
    ['64k deflate-iaa sequential', 6091607n, 203053n],
    ['64k deflate-iaa v9', 10174344n, 339144n],
    ['2048k deflate-iaa sequential', 6371048n, 212368n],
    ['2048k deflate-iaa v9', 11282935n, 376097n],
    ['64k zstd sequential', 6574380n, 219146n],
    ['64k zstd v9', 6632230n, 221074n],
    ['2048k zstd sequential', 7320278n, 244009n],
    ['2048k zstd v9', 7428055n, 247601n],
  ];
  for (const [cell, total, average] of published) {
    test(`is the letter's for ${cell}`, () => {
      assert.equal(totalThroughput(thirty(total)), total);
      assert.equal(averageThroughput(thirty(total)), average);
    });
  }

  test('of no process has a total and no average', () => {
    assert.equal(totalThroughput([]), 0n);
    assert.throws(() => averageThroughput([]), RangeError);
  });
});
