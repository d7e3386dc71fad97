import assert from 'node:assert/strict';
import { test } from 'node:test';
import { kstrto, kstrtobool, memparse, sysfsStreq } from '../../../src/host/reactions/parsing.js';

test('kstrto: numbers of each type and base', () => {
  const cases: readonly [Parameters<typeof kstrto>[0], 0 | 10, string, bigint | string][] = [
    ['ulong', 10, '18446744073709551615\n', 18446744073709551615n],
    ['ulong', 10, '18446744073709551616', 'ERANGE'],
    ['ulong', 10, '+5', 5n],
    ['ulong', 10, '-5', 'EINVAL'],
    ['long', 10, '-5', -5n],
    ['int', 10, '-2147483648', -2147483648n],
    ['int', 10, '2147483648', 'ERANGE'],
    ['uint', 0, '0x1F', 31n],
    ['uint', 0, '017', 15n],
    ['uint', 0, '019', 'EINVAL'],
    ['uint', 0, '0', 0n],
    ['uint', 10, '017', 17n],
    ['uint', 10, '0x1f', 'EINVAL'],
    ['uint', 10, '', 'EINVAL'],
    ['uint', 10, '\n', 'EINVAL'],
    ['uint', 10, '5\n\n', 'EINVAL'],
    ['uint', 10, ' 5', 'EINVAL'],
    ['uint', 10, '5 ', 'EINVAL'],
    ['uint', 10, 'five', 'EINVAL'],
  ];
  for (const [type, base, text, expected] of cases) {
    assert.equal(kstrto(type, base, text), expected, `${type} ${base} ${JSON.stringify(text)}`);
  }
});

test('kstrtobool: by the first letter, on and off by two', () => {
  for (const boolTakesEnabled of [false, true]) {
    const bool = (text: string) => kstrtobool(text, { boolTakesEnabled });
    for (const text of ['1', 'y', 'Yes', 't', 'True', 'on', 'oNly', '1abc\n'])
      assert.equal(bool(text), true, text);
    for (const text of ['0', 'n', 'No', 'f', 'off', '0\n']) assert.equal(bool(text), false, text);
    for (const text of ['', '\n', '2', 'o', 'ox', ' 1', 'x']) assert.equal(bool(text), 'EINVAL', text);
  }
});

test('kstrtobool: enabled and disabled where the kernel takes them', () => {
  const of = (text: string, boolTakesEnabled: boolean) => kstrtobool(text, { boolTakesEnabled });
  assert.deepEqual([of('enabled', true), of('E', true), of('disabled', true)], [true, true, false]);
  assert.deepEqual([of('enabled', false), of('D', false)], ['EINVAL', 'EINVAL']);
});

test('sysfsStreq: one newline more is the same', () => {
  assert.ok(sysfsStreq('sync', 'sync') && sysfsStreq('sync\n', 'sync'));
  assert.ok(!sysfsStreq('sync\n\n', 'sync') && !sysfsStreq('syn', 'sync') && !sysfsStreq('', 'sync'));
});

test('memparse: suffixes in both cases, any base, nothing after them', () => {
  assert.equal(memparse('1k'), 1024n);
  assert.equal(memparse('2G'), 2n ** 31n);
  assert.equal(memparse('0x10M'), 2n ** 24n);
  assert.equal(memparse('010'), 8n);
  assert.equal(memparse('1E'), 2n ** 60n);
  assert.equal(memparse(''), 0n);
  for (const text of ['M', '1MB', '1 M', '-1', '1.5', '08']) assert.equal(memparse(text), undefined, text);
});
