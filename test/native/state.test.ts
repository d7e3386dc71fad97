import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Journal } from '../../src/apply/journal.js';
import { holdState } from '../../src/apply/state.js';
import { StateError } from '../../src/errors.js';

const header = {
  schemaVersion: 1,
  host: 'live',
  machineId: undefined,
  bootId: 'b',
  startedAt: '',
  tool: '',
} as const;

let base: string;
let runtime: string;
beforeEach(() => {
  base = realpathSync(mkdtempSync(join(tmpdir(), 'state-')));
  runtime = join(base, 'run');
});
afterEach(() => rmSync(base, { recursive: true }));

function refused(directory: string, live: boolean, expected: RegExp): void {
  assert.throws(
    () => holdState(directory, live, runtime),
    (error) => {
      assert.ok(error instanceof StateError, String(error));
      assert.match(error.message, expected);
      assert.ok(error.hint);
      return true;
    },
  );
}

describe('holdState', () => {
  it('lets one be at work on a machine, whatever its state directory', () => {
    const held = holdState(join(base, 'a'), true, runtime);
    refused(join(base, 'a'), true, /another iaa-zswap is at work/);
    refused(join(base, 'b'), true, /another iaa-zswap is at work/);
    held.release();
    holdState(join(base, 'b'), true, runtime).release();
  });

  it('lets two be at work on two captured machines', () => {
    const first = holdState(join(base, 'a'), false, runtime);
    holdState(join(base, 'b'), false, runtime).release();
    first.release();
  });

  it('finds the journal that is pending in another state directory', () => {
    const held = holdState(join(base, 'a'), true, runtime);
    held.announce();
    Journal.create(held.directory, header).close();
    held.release();
    refused(join(base, 'b'), true, /\/a\/journal\.ndjson: an earlier run has not put the machine back/);
    const again = holdState(join(base, 'a'), true, runtime);
    Journal.open(again.directory)?.remove();
    again.withdraw();
    again.release();
    holdState(join(base, 'b'), true, runtime).release();
  });

  it('uses no directory that others can write, or put another in the place of', () => {
    const open = join(base, 'open');
    mkdirSync(join(open, 'inner'), { recursive: true, mode: 0o700 });
    chmodSync(open, 0o777);
    refused(open, false, /open: is not a directory that only root and this user can write/);
    refused(join(open, 'inner'), false, /open: is not a directory that only root/);
    chmodSync(open, 0o1777);
    holdState(join(open, 'inner'), false, runtime).release();
    symlinkSync(open, join(base, 'link'));
    refused(join(base, 'link'), false, /link: is not a directory/);
    refused('/proc/1/none', false, /cannot be created/);
  });

  it('makes what it makes for its user alone', () => {
    const held = holdState(join(base, 'deep/er'), false, runtime);
    assert.equal(statSync(held.directory).mode & 0o777, 0o700);
    assert.equal(statSync(join(held.directory, 'lock')).mode & 0o777, 0o600);
    held.release();
  });
});
