import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { packageRoot } from '../../src/native/load.js';

const stranger = 12345;

describe('the program as root', { skip: process.geteuid?.() === 0 ? false : 'needs root' }, () => {
  let top: string;
  let installation: string;
  let link: string;

  before(() => {
    top = mkdtempSync(join(tmpdir(), 'iaa-zswap-trust-'));
    installation = join(top, 'node_modules/iaa-zswap');
    link = join(top, 'node_modules/.bin/iaa-zswap');
    mkdirSync(join(top, 'node_modules/.bin'), { recursive: true });
    for (const file of [
      'package.json',
      'dist/cli.js',
      ...['iaa_zswap.node', 'usemem', 'madvise', 'launch', 'guest_init'].map(
        (name) => `build/Release/${name}`,
      ),
    ]) {
      cpSync(join(packageRoot(), file), join(installation, file));
    }
    symlinkSync('../iaa-zswap/dist/cli.js', link);
  });

  after(() => rmSync(top, { recursive: true, force: true }));

  function start(sudoUid?: number): { status: number | null; stderr: string } {
    const { SUDO_UID: _, ...environment } = process.env;
    const env = sudoUid === undefined ? environment : { ...environment, SUDO_UID: String(sudoUid) };
    return spawnSync(link, ['--version'], { encoding: 'utf8', env });
  }

  function refuses(path: string, mend: string): void {
    const { status, stderr } = start();
    assert.equal(status, 3, stderr);
    assert.ok(stderr.includes(`${path} `), stderr);
    assert.ok(stderr.includes(`${mend} ${path}`), stderr);
  }

  it('starts from an installation of its own, below a sticky folder of root', () => {
    assert.deepEqual(start().stderr, '');
    assert.equal(start().status, 0);
  });

  for (const [name, mode] of [
    ['dist/cli.js', 0o757],
    ['package.json', 0o666],
    ['build/Release/iaa_zswap.node', 0o757],
    ['build/Release/usemem', 0o757],
    ['build/Release/launch', 0o757],
    ['build/Release/guest_init', 0o757],
    ['build/Release', 0o757],
    ['build', 0o1777],
    ['dist', 0o757],
    ['.', 0o757],
    ['..', 0o757],
    ['../.bin', 0o757],
    ['../..', 0o757],
  ] as const) {
    it(`refuses when ${name} can be written by everybody`, () => {
      const path = join(installation, name);
      chmodSync(path, mode);
      try {
        refuses(path, 'chmod go-w');
      } finally {
        chmodSync(path, 0o755);
      }
    });
  }

  it('refuses when a helper can be written by a group', () => {
    const path = join(installation, 'build/Release/usemem');
    chmodSync(path, 0o775);
    chownSync(path, 0, stranger);
    try {
      refuses(path, 'chmod go-w');
    } finally {
      chmodSync(path, 0o755);
      chownSync(path, 0, 0);
    }
  });

  it('lets only the user who called sudo own files', () => {
    const path = join(installation, 'dist/cli.js');
    chownSync(path, stranger, stranger);
    try {
      refuses(path, 'chown -h root');
      assert.equal(start(stranger + 1).status, 3);
      assert.equal(start(stranger).status, 0);
    } finally {
      chownSync(path, 0, 0);
    }
  });
});
