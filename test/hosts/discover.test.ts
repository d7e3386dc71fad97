import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { after, describe, test } from 'node:test';
import { readStatus, renderStatus, type Status } from '../../src/cli/status.js';
import { printable, toJson } from '../../src/cli/terminal.js';
import { discover } from '../../src/discover/discover.js';
import { HostIoError, UsageError } from '../../src/errors.js';
import { openHost } from '../../src/host/open.js';
import { packageRoot } from '../../src/native/load.js';
import { hostTree } from '../../src/testing/index.js';
import { assertGolden } from '../support/golden.js';

const directory = join(packageRoot(), 'test/hosts');
const archives = readdirSync(directory).filter((file) => file.endsWith('.host'));
const archive = (name: string): string => readFileSync(join(directory, `${name}.host`), 'utf8');

async function discoverRoot(root: string): Promise<Status> {
  const host = await openHost(`root:${root}`, { writable: false });
  try {
    return await readStatus(host, undefined);
  } finally {
    await host.close();
  }
}

async function discoverArchive(
  text: string,
  overrides: Readonly<Record<string, string | undefined>> = {},
): Promise<Status> {
  using tree = hostTree(text, overrides);
  // The directory's name differs each time.
  return { ...(await discoverRoot(tree.root)), host: 'root:DIR' };
}

describe('the inventory and the status of each machine', () => {
  for (const file of archives) {
    const name = basename(file, '.host');
    test(name, async () => {
      const { counters, group, ...inventory } = await discoverArchive(archive(name));
      assertGolden(`discover/${name}.json`, `${toJson(inventory)}\n`);
      assertGolden(`status/${name}.txt`, `${printable(renderStatus({ ...inventory, counters, group }))}\n`);
    });
  }
});

test('each golden file is of a machine that is here', () => {
  const names = archives.map((file) => basename(file, '.host')).sort();
  for (const [folder, ending] of [
    ['discover', '.json'],
    ['status', '.txt'],
  ] as const) {
    const files = readdirSync(join(packageRoot(), 'test/golden', folder));
    assert.deepEqual(files.map((file) => basename(file, ending)).sort(), names, folder);
  }
});

test('no byte of a machine that steers a terminal is in the status or the JSON', async () => {
  const inventory = await discoverArchive(archive('garbage'));
  for (const text of [printable(renderStatus(inventory)), toJson(inventory)]) {
    assert.match(text, /^[\n\x20-\x7e]*$/);
  }
});

test('each malformed file is one finding with a mend, and not in the attributes', async () => {
  const { findings, attributes } = await discoverArchive(archive('garbage'));
  const paths = findings.map((finding) => finding.path);
  assert.deepEqual([...new Set(paths)], paths);
  for (const { path, message, mend } of findings) {
    assert.notEqual(message, '', path);
    assert.notEqual(mend, '', path);
    assert.equal(attributes[path], undefined, path);
  }
});

test('one changed file changes one thing', async () => {
  const path = '/sys/kernel/mm/transparent_hugepage/hugepages-64kB/enabled';
  const before = await discoverArchive(archive('spr-2s'));
  const now = await discoverArchive(archive('spr-2s'), { [path]: '[always] inherit madvise never\n' });
  assert.equal(now.thp?.sizes.find((size) => size.name === '64kB')?.enabled, 'always');
  assert.equal(now.attributes[path], '[always] inherit madvise never\n');
  assert.deepEqual(now.findings, before.findings);
  assert.deepEqual({ ...now.attributes, [path]: '' }, { ...before.attributes, [path]: '' });
});

describe('what is no machine is one error that names it', () => {
  const scratch = mkdtempSync(join(tmpdir(), 'iaa-zswap-discover-'));
  after(() => rmSync(scratch, { recursive: true }));

  test('an empty directory', async () => {
    await assert.rejects(discoverRoot(scratch), (error) => {
      assert.ok(error instanceof UsageError);
      assert.ok(error.message.startsWith(`${scratch}: not the root of a machine`), error.message);
      assert.notEqual(error.hint, undefined);
      return true;
    });
  });

  test('a directory whose sys is a file', async () => {
    const root = join(scratch, 'odd');
    mkdirSync(root);
    writeFileSync(join(root, 'sys'), 'x');
    await assert.rejects(discoverRoot(root), (error) => {
      assert.ok(error instanceof HostIoError || error instanceof UsageError);
      assert.ok(error.message.includes(root), error.message);
      return true;
    });
  });

  test('a directory that is not there', async () => {
    await assert.rejects(discoverRoot(join(scratch, 'none')), (error) => {
      assert.ok(error instanceof UsageError);
      assert.ok(error.message.includes(join(scratch, 'none')), error.message);
      return true;
    });
  });
});

test('this machine can be discovered without being changed, as whoever runs the tests', async () => {
  const host = await openHost('live', { writable: false });
  try {
    const inventory = await discover(host);
    assert.equal(inventory.kernel.release, readFileSync('/proc/sys/kernel/osrelease', 'utf8').trimEnd());
    assert.ok(inventory.cpu.online.length > 0);
    for (const [path, text] of Object.entries(inventory.attributes)) {
      assert.equal(text, readFileSync(path, 'utf8'), path);
    }
  } finally {
    await host.close();
  }
});
