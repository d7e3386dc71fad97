import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { helperPath, packageRoot } from '../../src/native/load.js';

/** The package as a user gets it: packed, then installed in an empty folder, where npm builds the addon. */
describe('the packed package', () => {
  let folder: string;
  let files: string[];

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'iaa-zswap-pack-'));
    // Node's headers, where they are installed beside it, spare node-gyp a download.
    const prefix = dirname(dirname(process.execPath));
    const nodedir = existsSync(join(prefix, 'include/node/node_version.h'))
      ? { npm_config_nodedir: prefix }
      : {};
    const npm = (cwd: string, ...args: string[]): string =>
      execFileSync('npm', args, {
        cwd,
        encoding: 'utf8',
        env: { ...nodedir, ...process.env, npm_config_audit: 'false', npm_config_fund: 'false' },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    // What was built is what is tested: no second build here.
    const listing = npm(packageRoot(), 'pack', '--json', '--ignore-scripts', '--pack-destination', folder);
    const [packed] = JSON.parse(listing) as [{ filename: string; files: { path: string }[] }];
    files = packed.files.map(({ path }) => path);
    mkdirSync(join(folder, 'app'));
    npm(join(folder, 'app'), 'install', '--prefer-offline', join(folder, packed.filename));
  });

  after(() => rmSync(folder, { recursive: true, force: true }));

  function node(code: string): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
      cwd: join(folder, 'app'),
      encoding: 'utf8',
    });
  }

  it('holds what building and running take, and nothing else', () => {
    for (const file of [
      'package.json',
      'README.md',
      'LICENSE',
      'CHANGELOG.md',
      'binding.gyp',
      'dist/cli.js',
      'dist/index.js',
      'dist/testing.js',
      'dist/index.d.ts',
      'dist/testing.d.ts',
      'experiments/usemem-small.yaml',
      'experiments/what-if/batching.yaml',
      'machines/spr-2s.yaml',
      'native/addon.cc',
    ]) {
      assert.ok(files.includes(file), file);
    }
    assert.deepEqual(
      files.filter(
        (file) =>
          !/^(dist|experiments|machines|native)\/|^[A-Z]+(\.md)?$|^package\.json$|^binding\.gyp$/.test(file),
      ),
      [],
    );
    assert.deepEqual(
      files.filter((file) => /(^|\/)test\/|\.map$/.test(file)),
      [],
    );
  });

  it('holds every source that binding.gyp names', () => {
    const named =
      readFileSync(join(packageRoot(), 'binding.gyp'), 'utf8').match(/native\/[\w/.-]+\.\w+/g) ?? [];
    assert.notEqual(named.length, 0);
    assert.deepEqual(
      named.filter((file) => !files.includes(file)),
      [],
    );
  });

  it('runs by its name', () => {
    const { status, stdout, stderr } = spawnSync('node_modules/.bin/iaa-zswap', ['--help'], {
      cwd: join(folder, 'app'),
      encoding: 'utf8',
    });
    assert.equal(status, 0, stderr);
    assert.match(stdout, /^Usage: iaa-zswap /);
  });

  it('has built its helpers', () => {
    for (const name of ['usemem', 'madvise', 'launch', 'guest_init']) {
      const built = helperPath(name).replace(packageRoot(), join(folder, 'app/node_modules/iaa-zswap'));
      assert.ok(existsSync(built), built);
    }
  });

  it('reads a tree through the API and the addon built there', () => {
    mkdirSync(join(folder, 'tree/proc'), { recursive: true });
    writeFileSync(join(folder, 'tree/proc/version'), 'Linux version 1\n');
    const { stdout, stderr } = node(`
      import { hostPath, openHost } from 'iaa-zswap';
      const host = await openHost(${JSON.stringify(`root:${join(folder, 'tree')}`)}, { writable: false });
      console.log(JSON.stringify(await host.read([hostPath('/proc/version')])));
      await host.close();
    `);
    assert.equal(stdout, '["Linux version 1\\n"]\n', stderr);
  });

  it('offers the machines for tests, and shares its classes with them', () => {
    const { stdout, stderr } = node(`
      import { ParseError } from 'iaa-zswap';
      import { parseArchive } from 'iaa-zswap/testing';
      try { parseArchive('no archive', 'here'); } catch (error) {
        console.log(error instanceof ParseError, error.path);
      }
    `);
    assert.equal(stdout, 'true here\n', stderr);
  });

  it('keeps its inside to itself', () => {
    for (const inside of ['iaa-zswap/dist/cli.js', 'iaa-zswap/package.json', 'iaa-zswap/dist/index.js']) {
      const { stdout } = node(`await import('${inside}').catch((error) => console.log(error.code));`);
      assert.equal(stdout, 'ERR_PACKAGE_PATH_NOT_EXPORTED\n', inside);
    }
  });
});
