import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Finding } from '../../../src/discover/inventory.js';
import { unmanglePath } from '../../../src/kernel/mangled-path.js';
import { parseSwaps, readSwaps, swapsPath } from '../../../src/kernel/swap.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

const heading = 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n';

test('good', () => {
  const text =
    `${heading}/dev/vdb                                partition\t1048572\t\t1024\t\t-2\n` +
    `/srv/swap\\040file\\134\\011x                file\t\t4194300\t\t0\t\t10\n`;
  assert.deepEqual(parseSwaps(text), [
    { path: '/dev/vdb', type: 'partition', sizeKiB: 1_048_572, usedKiB: 1024, priority: -2 },
    { path: '/srv/swap file\\\tx', type: 'file', sizeKiB: 4_194_300, usedKiB: 0, priority: 10 },
  ]);
});

test('no area is on', () => assert.deepEqual(parseSwaps(heading), []));

test('absent', async () => {
  const findings: Finding[] = [];
  assert.equal(await readSwaps(new MemoryHost(), findings), undefined);
  assert.deepEqual(findings, []);
});

describe('malformed', () => {
  for (const [name, text, line] of [
    ['empty', '', 1],
    ['without heading', '/dev/vdb partition 1 2 3\n', 1],
    ['a field too few', `${heading}/dev/vdb partition 1 2\n`, 2],
    ['a size that is no number', `${heading}/dev/vdb partition 1 2 3\n/dev/vdc partition x 2 3\n`, 3],
    ['an empty line', `${heading}\n/dev/vdb partition 1 2 3\n`, 2],
  ] as const) {
    test(name, () => assert.throws(() => parseSwaps(text), parseErrorAt(swapsPath, line)));
  }

  test('is one finding', async () => {
    const findings: Finding[] = [];
    assert.equal(await readSwaps(new MemoryHost({ [swapsPath]: 'junk\n' }), findings), undefined);
    assert.deepEqual(
      findings.map((finding) => finding.path),
      [swapsPath],
    );
  });
});

test('unmanglePath undoes exactly what the kernel does', () => {
  assert.equal(unmanglePath('/a\\040b\\011c\\012d\\134e\\043'), '/a b\tc\nd\\e#');
  assert.equal(unmanglePath('/plain\\9\\04'), '/plain\\9\\04');
});
