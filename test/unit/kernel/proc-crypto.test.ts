import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Finding } from '../../../src/discover/inventory.js';
import { parseProcCrypto, readCompressors } from '../../../src/kernel/proc-crypto.js';
import { deflateIaa } from '../../support/iaa-machine.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

const sha = `name         : sha256
driver       : sha256-ni
module       : kernel
priority     : 250
refcnt       : 1
selftest     : passed
internal     : no
type         : shash
blocksize    : 64
min keysize  : 16
digestsize   : 32

`;

test('good: compressors only', async () => {
  const findings: Finding[] = [];
  const host = new MemoryHost({ '/proc/crypto': `${sha}${deflateIaa.replace(': 1\n', ': 3\n')}` });
  assert.deepEqual(await readCompressors(host, findings), [
    {
      name: 'deflate',
      driver: 'deflate-iaa',
      module: 'iaa_crypto',
      priority: 300,
      refcnt: 3,
      selftest: 'passed',
      type: 'acomp',
    },
  ]);
  assert.deepEqual(findings, []);
});

test('absent', async () => {
  const findings: Finding[] = [];
  assert.equal(await readCompressors(new MemoryHost(), findings), undefined);
  assert.deepEqual(findings, []);
});

test('a last block without an empty line, and an empty file', () => {
  assert.equal(parseProcCrypto(`${sha}${deflateIaa.trimEnd()}`).length, 2);
  assert.deepEqual(parseProcCrypto(''), []);
});

describe('malformed', () => {
  for (const [name, text, line] of [
    ['no colon', `${sha}driver\n`, 13],
    ['a block without driver', `${sha}name         : x\n\n`, 13],
    ['a priority that is no number', sha.replace('250', 'high'), 1],
  ] as const) {
    test(name, () => assert.throws(() => parseProcCrypto(text, '/x'), parseErrorAt('/x', line)));
  }
});
