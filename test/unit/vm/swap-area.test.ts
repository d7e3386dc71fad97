import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { swapHeader } from '../../../src/vm/swap-area.js';

test('the header is the one that mkswap writes, but for the UUID', () => {
  const folder = mkdtempSync(join(tmpdir(), 'iaa-zswap-swap-'));
  try {
    const file = join(folder, 'area');
    const sizeBytes = 64 << 20;
    writeFileSync(file, '', { mode: 0o600 });
    truncateSync(file, sizeBytes);
    assert.equal(spawnSync('/sbin/mkswap', [file]).status, 0);
    const expected = readFileSync(file).subarray(0, 4096);
    const uuid = 1024 + 12;
    expected.fill(0, uuid, uuid + 16);
    assert.deepEqual(swapHeader(sizeBytes), expected);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
