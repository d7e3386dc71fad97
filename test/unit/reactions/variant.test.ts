import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryTree } from '../../../src/host/memory-tree.js';
import { Draft } from '../../../src/host/reactions/tree.js';
import { variantOf } from '../../../src/host/reactions/variant.js';

function nameFor(files: Record<string, string>): string {
  const tree = new MemoryTree(
    Object.entries(files).map(([path, text]) => ({ kind: 'file', path, text, mode: 0o444 })),
  );
  return variantOf(new Draft(tree)).name;
}

test('by release: the newest variant that is not newer than the kernel', () => {
  for (const [release, name] of [
    ['6.8.0-45-generic', 'mainline 6.12'],
    ['6.12.9', 'mainline 6.12'],
    ['6.13.0', 'mm-unstable-4-21-2025'],
    ['6.15.0-rc3', 'mm-unstable-4-21-2025'],
    ['6.17.13', 'mm-unstable-4-21-2025'],
    ['6.18.0', 'mainline 6.18'],
    ['7.0.4', 'mainline 6.18'],
    ['7.3.4-1-amd64', 'mainline 7.3'],
    ['8.0.0', 'mainline 7.3'],
    ['strange', 'mainline 6.12'],
  ] as const) {
    assert.equal(nameFor({ '/proc/sys/kernel/osrelease': `${release}\n` }), name, release);
  }
});

test('v9 by its attributes, or by its functions whatever the release', () => {
  const release = { '/proc/sys/kernel/osrelease': '6.15.0-rc3\n' };
  assert.equal(nameFor({ ...release, '/sys/bus/dsa/drivers/crypto/distribute_comps': '1\n' }), 'v9');
  assert.equal(
    nameFor({ ...release, '/proc/kallsyms': '0 t zswap_store\n0 T crypto_acomp_batch_compress\n' }),
    'v9',
  );
  assert.equal(nameFor({ ...release, '/proc/kallsyms': '0 t zswap_store\n' }), 'mm-unstable-4-21-2025');
});
