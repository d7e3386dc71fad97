import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Finding } from '../../../src/discover/inventory.js';
import { parseFlatKeyed } from '../../../src/kernel/flat-keyed.js';
import { parseVmstat, readVmstat, vmstatPath } from '../../../src/kernel/vmstat.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

describe('parseFlatKeyed', () => {
  test('keeps every name, exactly, past 2^53 too', () => {
    const text = 'low 0\nhigh 18446744073709551615\ncore_sched.force_idle_usec 3\n__proto__ 4\n';
    assert.deepEqual(
      [...parseFlatKeyed(text, '/x')],
      [
        ['low', 0n],
        ['high', 18446744073709551615n],
        ['core_sched.force_idle_usec', 3n],
        ['__proto__', 4n],
      ],
    );
  });

  test('an empty file has no counters', () => assert.equal(parseFlatKeyed('', '/x').size, 0));

  test('reads back whatever was written', () => {
    const entries = fc.uniqueArray(
      fc.tuple(fc.stringMatching(/^[a-z_]\w{0,20}$/), fc.bigInt(0n, 2n ** 64n - 1n)),
      {
        selector: ([name]) => name,
      },
    );
    fc.assert(
      fc.property(entries, (list) => {
        const text = list.map(([name, value]) => `${name} ${value}\n`).join('');
        assert.deepEqual([...parseFlatKeyed(text, '/x')], list);
      }),
    );
  });

  for (const [name, text, line] of [
    ['no number', 'high 1\nmax\n', 2],
    ['a negative number', 'high -1\n', 1],
    ['two blanks', 'high  1\n', 1],
    ['an empty line', 'high 1\n\nmax 2\n', 2],
    ['an escape byte', 'hi\u001bgh 1\n', 1],
    ['a name twice', 'high 1\nmax 2\nhigh 3\n', 3],
  ] as const) {
    test(name, () => assert.throws(() => parseFlatKeyed(text, '/x'), parseErrorAt('/x', line)));
  }
});

describe('vmstat', () => {
  test('good', async () => {
    const findings: Finding[] = [];
    const counters = await readVmstat(
      new MemoryHost({ [vmstatPath]: 'pswpin 3\nzswpout 56872\n' }),
      findings,
    );
    assert.equal(counters?.get('zswpout'), 56_872n);
    assert.equal(counters?.get('zswpin'), undefined);
    assert.deepEqual(findings, []);
  });

  test('absent', async () => {
    const findings: Finding[] = [];
    assert.equal(await readVmstat(new MemoryHost(), findings), undefined);
    assert.deepEqual(findings, []);
  });

  test('malformed', async () => {
    assert.throws(() => parseVmstat('pswpin 3\nzswpout x\n'), parseErrorAt(vmstatPath, 2));
    const findings: Finding[] = [];
    assert.equal(
      await readVmstat(new MemoryHost({ [vmstatPath]: 'pswpin 3\nzswpout x\n' }), findings),
      undefined,
    );
    assert.equal(findings.length, 1);
    assert.match(
      findings[0]?.message ?? '',
      /^line 2: expected a name and a decimal number, found "zswpout x"$/,
    );
  });
});
