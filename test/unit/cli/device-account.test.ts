import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type DeviceCounts, deviceAccount } from '../../../src/cli/device-account.js';
import type { Result } from '../../../src/study/record.js';

const counts = (...pages: readonly number[]): DeviceCounts =>
  pages.map((compress_pages) => ({ wqs: [{ compress_pages, incompressible: compress_pages > 0 ? 2 : 0 }] }));

const result = (...cells: readonly (readonly [string, number | undefined])[]): Result =>
  ({
    cells: cells.map(([compressor, zswpout]) => ({ cell: { compressor }, values: { zswpout } })),
  }) as unknown as Result;

test('what the devices compressed is set beside what the kernel stored through them', () => {
  const results = [result(['deflate-iaa', 1500], ['zstd', 900]), result(['deflate-iaa', 504])];
  assert.equal(
    deviceAccount(counts(0, 0), counts(1000, 1000), results),
    'devices: 2,000 pages compressed; zswpout of the cells with IAA 2,004, stored uncompressed 4: equal',
  );
  assert.match(deviceAccount(counts(0), counts(1000), results), /: a difference of -1,002$/);
  // A cell that failed has no numbers.
  assert.match(
    deviceAccount(counts(0), counts(0), [result(['deflate-iaa', undefined])]),
    /^devices: 0 pages .*equal$/,
  );
});
