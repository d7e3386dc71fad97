import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UsageError } from '../../../src/errors.js';
import { hostPath } from '../../../src/host/path.js';

test('parts are joined to an absolute path', () => {
  assert.equal(hostPath('/sys/module', 'zswap', 'parameters'), '/sys/module/zswap/parameters');
  assert.equal(hostPath('/x..y/.hidden'), '/x..y/.hidden');
});

test('whatever is not a plain absolute path is a UsageError', () => {
  const bad = ['', '/', 'sys', './sys', '/sys/', '//sys', '/sys//x', '/sys/../etc', '/sys/.', '/a\0b'];
  for (const path of bad) assert.throws(() => hostPath(path), UsageError, JSON.stringify(path));
  // A name that comes from a listing cannot climb.
  assert.throws(() => hostPath('/sys/bus', '..', 'x'), UsageError);
  assert.throws(() => hostPath('/sys/bus', ''), UsageError);
});
