import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ParseError } from '../../../src/errors.js';
import {
  batchProbes,
  parseBatchHistogram,
  probeLines,
  summarizeBatches,
} from '../../../src/kernel/tracefs.js';

/** As 7.3 writes it. */
const text = `# event histogram
#
# trigger info: hist:keys=pages,ns/pages/50:vals=hitcount:sort=hitcount:size=8192 [active]
#

{ pages:         16, ns/pages/50:       2405 } hitcount:          1
{ pages:          1, ns/pages/50:        473 } hitcount:       1687
{ pages:         16, ns/pages/50:        100 } hitcount:         98
{ pages:         16, ns/pages/50:        101 } hitcount:          1

Totals:
    Hits: 1787
    Entries: 4
    Dropped: 2
`;

test('a histogram is read by pages, then by time', () => {
  assert.deepEqual(parseBatchHistogram(text, 'hist'), {
    buckets: [
      { pages: 1, nsPerPage: 23_650, calls: 1687 },
      { pages: 16, nsPerPage: 5000, calls: 98 },
      { pages: 16, nsPerPage: 5050, calls: 1 },
      { pages: 16, nsPerPage: 120_250, calls: 1 },
    ],
    dropped: 2,
  });
});

test('it is summarized by the number of pages', () => {
  assert.deepEqual(summarizeBatches(parseBatchHistogram(text, 'hist')), [
    { pages: 1, calls: 1687, p50: 23_650, p99: 23_650 },
    { pages: 16, calls: 100, p50: 5000, p99: 5050 },
  ]);
});

test('one that has seen nothing is empty', () => {
  const empty = '# event histogram\n#\n\n\nTotals:\n    Hits: 0\n    Entries: 0\n    Dropped: 0\n';
  assert.deepEqual(parseBatchHistogram(empty, 'hist'), { buckets: [], dropped: 0 });
  assert.deepEqual(summarizeBatches({ buckets: [], dropped: 0 }), []);
});

test('another text is no histogram', () => {
  for (const wrong of [
    '',
    'Totals:\n',
    text.replace('Dropped', 'Gone'),
    text.replace('hitcount:          1', 'x'),
  ]) {
    assert.throws(() => parseBatchHistogram(wrong, 'hist'), ParseError);
  }
});

test('every probe has a name of its own, and its histogram is of what its events have', () => {
  assert.equal(new Set(batchProbes.map(({ name }) => name)).size, batchProbes.length);
  for (const probe of batchProbes) {
    const { begin, beginTrigger, endTrigger, synthetic, histogram } = probeLines(probe);
    for (const [, variable = ''] of beginTrigger.matchAll(/[,-]p=(\w+)|-(\w+)$/g)) {
      if (variable !== '') assert.ok(begin.includes(` ${variable}=`), `${probe.name}: ${variable}`);
    }
    assert.match(
      endTrigger,
      new RegExp(`onmatch\\(iaa_zswap\\.${probe.name}_in\\)\\.trace\\(${synthetic.split(' ')[0]},`),
    );
    assert.equal(histogram, 'hist:keys=pages,ns/pages/50:size=8192');
    // A condition of what is fetched.
    if (probe.filter !== undefined) assert.ok(begin.includes(` ${probe.filter.split(' ')[0]}=`));
  }
});
