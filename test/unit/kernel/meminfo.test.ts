import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Finding } from '../../../src/discover/inventory.js';
import { meminfoPath, parseMeminfo, readMemory } from '../../../src/kernel/meminfo.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

const text =
  'MemTotal:        1017532 kB\nMemAvailable:     900000 kB\nActive(anon):       1 kB\nHugePages_Total:       3\n';

test('good: kB become bytes, counts stay', () => {
  assert.deepEqual(
    [...parseMeminfo(text)],
    [
      ['MemTotal', 1_041_952_768n],
      ['MemAvailable', 921_600_000n],
      ['Active(anon)', 1024n],
      ['HugePages_Total', 3n],
    ],
  );
});

describe('readMemory', () => {
  test('good', async () => {
    const findings: Finding[] = [];
    assert.deepEqual(await readMemory(new MemoryHost({ [meminfoPath]: text }), findings), {
      totalBytes: 1_041_952_768,
      availableBytes: 921_600_000,
    });
    assert.deepEqual(findings, []);
  });

  test('absent', async () => {
    const findings: Finding[] = [];
    assert.equal(await readMemory(new MemoryHost(), findings), undefined);
    assert.deepEqual(findings, []);
  });

  test('without the lines that are needed', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({ [meminfoPath]: 'MemTotal: 5 kB\n' });
    assert.equal(await readMemory(host, findings), undefined);
    assert.match(findings[0]?.message ?? '', /^expected lines MemTotal and MemAvailable/);
  });
});

test('malformed', () => {
  assert.throws(() => parseMeminfo('MemTotal: 5 kB\nMemFree 5 kB\n'), parseErrorAt(meminfoPath, 2));
  assert.throws(() => parseMeminfo('MemTotal: 5 MB\n'), parseErrorAt(meminfoPath, 1));
});
