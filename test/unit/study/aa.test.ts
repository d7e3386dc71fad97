import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tablesOf } from '../../../src/report/tables-of.js';
import { compareAa, isAa, withoutAa } from '../../../src/study/aa.js';
import { measuredSet } from '../../../src/study/cells.js';
import { cellOf, measured, resultOf } from '../../support/results.js';

const twins = resultOf(
  [1, 2, 3, 4].flatMap((repetition) =>
    ['A', 'B'].map((aa) =>
      measured(cellOf('zstd', '64kB', { repetition, settings: { aa, 'vm.swappiness': '1' } }), {
        total_throughput_kb_s: 100 * repetition + (aa === 'A' ? 1 : 2),
      }),
    ),
  ),
);

describe('a record of run --aa', () => {
  it('is known by its axis', () => {
    assert.equal(isAa(twins), true);
    assert.equal(isAa(resultOf([measured(cellOf('zstd'), {})])), false);
  });

  it('has twice the repetitions where A and B are one', () => {
    const { cells } = measuredSet(withoutAa([twins]));
    assert.deepEqual(
      cells.map(({ n, settings }) => [n, settings]),
      [[8, { 'vm.swappiness': '1' }]],
    );
  });

  it('sets A beside B', () => {
    const { base, new: other, workloads } = compareAa([twins]);
    assert.deepEqual([base, other], ['A', 'B']);
    const [row] = workloads[0]?.points[0]?.rows ?? [];
    assert.deepEqual([row?.base?.n, row?.base?.median, row?.new?.median], [4, 251, 252]);
    assert.match(tablesOf([twins]), /^ base: {3}A$/m);
  });
});
