import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openLive, requireFileSystem } from '../../../src/host/live.js';
import { openHost } from '../../../src/host/open.js';
import { hostPath } from '../../../src/host/path.js';
import { native } from '../../../src/native/load.js';
import { tempDirectory } from '../../support/temp-directory.js';

const reading = { writable: false };

test('live, open for reading, sees this machine and cannot change it', async () => {
  const host = await openHost('live', reading);
  const { name, root, writable } = host;
  assert.deepEqual({ name, root, writable }, { name: 'live', root: '/', writable: false });
  assert.deepEqual(await host.read([hostPath('/proc/self/comm')]), [readFileSync('/proc/self/comm', 'utf8')]);
  assert.deepEqual(await host.tryRead([hostPath('/sys/no/such/file')]), [undefined]);
  assert.equal(await host.readlink(hostPath('/proc/self')), String(process.pid));
  assert.ok((await host.list(hostPath('/proc')))?.includes('vmstat'));
  await assert.rejects(host.read([hostPath('/sys/kernel')]), { errnoCode: 'EISDIR' });
  await assert.rejects(host.write(hostPath('/proc/self/oom_score_adj'), '0'), { errnoCode: 'EROFS' });
  await assert.rejects(host.exec(['true']), { code: 'ERR_COMMAND' });
  await host.close();
  await assert.rejects(host.read([hostPath('/proc/self/comm')]), { errnoCode: 'EBADF' });
});

test('the suite cannot open this machine for changes', async () => {
  assert.equal(process.env['IAA_ZSWAP_TEST'], '1', 'scripts/test sets it');
  await assert.rejects(openHost('live', { writable: true }), { code: 'ERR_REQUIREMENT', exitCode: 3 });
  await assert.rejects(openLive({ writable: true }), { code: 'ERR_REQUIREMENT' });
});

test('what only looks like /sys is not opened for changes', async () => {
  const root = native().openHostRoot('/', false);
  assert.ok(!('errno' in root));
  await requireFileSystem(root, hostPath('/sys'), 'sysfs', 0x62656572);
  await requireFileSystem(root, hostPath('/proc'), 'proc', 0x9fa0);
  await assert.rejects(requireFileSystem(root, hostPath('/proc'), 'sysfs', 0x62656572), {
    code: 'ERR_REQUIREMENT',
    message: '/proc is not sysfs but a file system of type 0x9fa0',
    hint: 'mount it: mount -t sysfs sysfs /proc',
  });
  await assert.rejects(requireFileSystem(root, hostPath('/no/such'), 'sysfs', 0x62656572), {
    code: 'ERR_HOST_IO',
    errnoCode: 'ENOENT',
  });
  root.close();
});

test('a captured tree is its own root', async (t) => {
  const directory = tempDirectory(t);
  mkdirSync(join(directory, 'proc'));
  writeFileSync(join(directory, 'proc/vmstat'), 'zswpin 1\n');
  symlinkSync('/proc/vmstat', join(directory, 'absolute'));
  symlinkSync('/etc/passwd', join(directory, 'escape'));
  const host = await openHost(`root:${directory}`, { writable: true });
  assert.equal(host.name, `root:${directory}`);
  assert.equal(host.root, directory);
  assert.equal(host.writable, false);
  assert.deepEqual(
    await host.tryRead(['/proc/vmstat', '/absolute', '/escape'].map((path) => hostPath(path))),
    ['zswpin 1\n', 'zswpin 1\n', undefined],
  );
  await assert.rejects(host.write(hostPath('/proc/vmstat'), 'x'), { errnoCode: 'EROFS' });
  await assert.rejects(host.mkdir(hostPath('/new')), { errnoCode: 'EROFS' });
  await assert.rejects(host.rmdir(hostPath('/proc')), { errnoCode: 'EROFS' });
  assert.equal(readFileSync(join(directory, 'proc/vmstat'), 'utf8'), 'zswpin 1\n');
  await host.close();
});

test('a relative root is taken from the working directory', async () => {
  const host = await openHost('root:.', reading);
  assert.equal(host.root, process.cwd());
  await host.close();
});

test('words that are no host are a UsageError that names those that are', async () => {
  for (const spec of ['', 'Live', 'root', 'root:', '/proc', 'mock:', 'live:x']) {
    await assert.rejects(openHost(spec, reading), {
      code: 'ERR_USAGE',
      message: `no such host: ${JSON.stringify(spec)}`,
      hint: 'a host is live (this machine), root:DIR (a captured tree), root:FILE (a trace), mock:DIR (a tree that reacts as the kernel does) or model:MACHINE (a modelled one, as model:spr-2s)',
    });
  }
});

test('a root that cannot be opened is one error with its path and what to do', async (t) => {
  const directory = tempDirectory(t);
  const fifo = join(directory, 'fifo');
  assert.equal(spawnSync('mkfifo', [fifo]).status, 0);
  for (const [path, why] of [
    [join(directory, 'none'), 'ENOENT'],
    [fifo, 'neither a directory nor a file'],
    ['/dev/null', 'neither a directory nor a file'],
  ]) {
    await assert.rejects(openHost(`root:${path}`, reading), {
      code: 'ERR_USAGE',
      message: `--host root:${path}: ${path} cannot be opened: ${why}`,
      hint: /captured/,
    });
  }
});
