import assert from 'node:assert/strict';
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmdirSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

/**
 * The first tests of every run: the suite cannot change this machine. For root the mounts are read-only
 * (scripts/with-read-only-kernel); an ordinary user is refused by the files' owners.
 */
const isRoot = process.geteuid?.() === 0;
const refusals = isRoot ? ['EROFS'] : ['EROFS', 'EACCES'];

function refused(action: () => void): boolean {
  try {
    action();
  } catch (error) {
    return refusals.includes((error as NodeJS.ErrnoException).code ?? '');
  }
  return false;
}

interface Mount {
  readonly point: string;
  readonly readOnly: boolean;
  readonly type: string;
}

function mounts(): Mount[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => {
      const fields = line.split(' ');
      return {
        point: (fields[4] ?? '').replace(/\\(\d{3})/g, (_, octal) =>
          String.fromCharCode(Number.parseInt(octal, 8)),
        ),
        readOnly: (fields[5] ?? '').split(',').includes('ro'),
        type: fields[fields.indexOf('-') + 1] ?? '',
      };
    });
}

const notRoot = isRoot ? false : 'an ordinary user has nothing to lose: the next tests show it';

test('every mount at and below /sys and /proc/sys is read-only', { skip: notRoot }, () => {
  const kernel = mounts().filter(({ point }) => /^\/(sys|proc\/sys)(\/|$)/.test(point));
  assert.deepEqual(
    ['/sys', '/proc/sys'].filter((path) => !kernel.some(({ point }) => point === path)),
    [],
    'run the tests through scripts/test',
  );
  assert.deepEqual(
    kernel.filter(({ readOnly }) => !readOnly),
    [],
  );
});

for (const path of [
  '/sys/kernel/mm/transparent_hugepage/enabled',
  '/proc/sys/vm/swappiness',
  '/sys/power/state',
]) {
  test(`opening ${path} for writing is refused`, (t) => {
    if (!existsSync(path)) return t.skip('this kernel has no such file');
    // Nothing is written even where it opens: the file is closed again.
    assert.ok(refused(() => closeSync(openSync(path, constants.O_WRONLY))));
  });
}

test('no cgroup can be made', (t) => {
  const hierarchies = mounts().filter(({ type }) => type === 'cgroup' || type === 'cgroup2');
  if (hierarchies.length === 0) return t.skip('no cgroup hierarchy is mounted here');
  for (const { point } of hierarchies) {
    assert.ok(
      refused(() => accessSync(point, constants.W_OK)),
      point,
    );
    const group = join(point, `iaa-zswap-guard-${process.pid}`);
    const wasRefused = refused(() => mkdirSync(group));
    if (!wasRefused) rmdirSync(group);
    assert.ok(wasRefused, group);
  }
});

test('the suite says that it is one', () => {
  assert.equal(process.env['IAA_ZSWAP_TEST'], '1');
});
