import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { findKernelSymbols } from '../../../src/host/kernel-symbols.js';
import { openHost } from '../../../src/host/open.js';
import { MemoryHost } from '../../support/memory-host.js';

test('whole names only, of modules too', async () => {
  const host = new MemoryHost({
    '/proc/kallsyms':
      '0000000000000000 T zswap_store\n0000000000000000 t zswap_store_page\n0000000000000000 t iaa_batch\t[iaa_crypto]\n',
  });
  assert.deepEqual(
    await findKernelSymbols(host, ['zswap_store', 'iaa_batch', 'zswap_store_pages', 'store']),
    new Set(['zswap_store', 'iaa_batch']),
  );
});

test('not shown', async () => {
  assert.equal(await findKernelSymbols(new MemoryHost(), ['zswap_store']), undefined);
});

test('on the live machine, whose list is larger than what a host reads at once', async () => {
  const host = await openHost('live', { writable: false });
  try {
    const last = readFileSync('/proc/kallsyms', 'utf8').trimEnd().split('\n').at(-1) ?? '';
    const name = last.split(/[ \t]/)[2] ?? '';
    assert.notEqual(name, '');
    assert.deepEqual(await findKernelSymbols(host, [name, 'no such function']), new Set([name]));
  } finally {
    await host.close();
  }
});
