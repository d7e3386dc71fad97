/** docs/errors.md and src/errors.ts say the same. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as errors from '../../src/errors.js';
import { packageRoot } from '../../src/native/load.js';

const { ExitCode, isLabError } = errors;
const doc = readFileSync(join(packageRoot(), 'docs/errors.md'), 'utf8');

/** The cells of the tables' rows whose first cell matches. */
function rows(first: RegExp): string[][] {
  return doc
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .map((cells) => cells.slice(1, -1))
    .filter(([cell]) => first.test(cell ?? ''));
}

const at = {
  operation: 'read',
  path: '/x',
  root: '/',
  errno: 2,
  errnoCode: 'ENOENT',
  syscall: 'read',
} as const;

/** One of each class. */
const examples: errors.LabError[] = [
  new errors.HostIoError(at),
  new errors.ParseError({ path: '/x', found: '', expected: 'a number' }),
  new errors.UsageError(''),
  new errors.ExperimentError('file', []),
  new errors.RequirementError(''),
  new errors.PlanError([]),
  new errors.VerifyError({ path: '/x', expected: '', actual: '' }),
  new errors.ApplyError('step', undefined),
  new errors.RestoreError('/journal', []),
  new errors.FailedRestoredError(undefined),
  new errors.StateError(''),
  new errors.WorkloadError(''),
  new errors.CommandError([], ''),
  new errors.AccelConfigError(''),
  new errors.RecordError(''),
  new errors.CompressionError('zstd', 22, ''),
  new errors.NativeLoadError(''),
  new errors.TrustError(''),
  new errors.VmError(''),
  new errors.InterruptedError('SIGINT'),
];

test('every class that is exported is looked at here', () => {
  const exported = Object.entries(errors)
    .filter(([name, value]) => typeof value === 'function' && /^[A-Z]/.test(name) && name !== 'LabError')
    .map(([name]) => name);
  assert.deepEqual(examples.map(({ name }) => name).sort(), exported.sort());
  for (const error of examples) assert.ok(isLabError(error), error.name);
});

test('the document lists every code with its class and exit code, in the order of the source', () => {
  const documented = rows(/^`ERR_/).map(([code, name, exit]) => `${code} ${name} ${exit}`);
  const thrown = examples.map(({ code, name, exitCode }) => {
    const exit = name === 'InterruptedError' ? '129, 130, 143' : exitCode;
    return `\`${code}\` ${name} ${exit}`;
  });
  assert.deepEqual(documented, thrown);
  for (const cells of rows(/^`ERR_/)) {
    assert.equal(cells.length, 5);
    for (const cell of cells) assert.notEqual(cell, '');
  }
});

test('the document lists every exit code', () => {
  const documented = rows(/^\d/).flatMap(([cell]) => (cell ?? '').split(', ').map(Number));
  assert.deepEqual(documented, Object.values(ExitCode));
});

test('codes are unique', () => {
  assert.equal(new Set(examples.map(({ code }) => code)).size, examples.length);
});

test('an interruption’s exit code is that of its signal', () => {
  const codes = (['SIGHUP', 'SIGINT', 'SIGTERM'] as const).map(
    (signal) => new errors.InterruptedError(signal).exitCode,
  );
  assert.deepEqual(codes, [129, 130, 143]);
});
