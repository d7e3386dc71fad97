import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { discover } from '../../../src/discover/discover.js';
import { openHost } from '../../../src/host/open.js';
import { hostPath } from '../../../src/host/path.js';
import {
  buildMachine,
  type Capture,
  captureMachine,
  formatArchive,
  type MachineOptions,
  mockHost,
  parseArchive,
  type TreeEntry,
  writeTree,
} from '../../../src/testing/index.js';

const options: MachineOptions = {
  coresPerPackage: 2,
  threadsPerCore: 1,
  iaaPerPackage: 1,
  kernel: 'v9',
  systemd: true,
  changes: [{ write: '/sys/module/zswap/parameters/enabled', text: 'Y' }],
};

/** What capturing the tree of these entries gives. */
async function captured(entries: readonly TreeEntry[], redact: boolean): Promise<Capture> {
  const directory = mkdtempSync(join(tmpdir(), 'iaa-zswap-capture-'));
  try {
    writeTree(entries, directory);
    const host = await openHost(`root:${directory}`, { writable: false });
    const capture = await captureMachine(host, { redact });
    await host.close();
    return capture;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

test('a capture has all that is discovered, as it is', async () => {
  const machine = buildMachine(options);
  const { entries, leftOut } = await captured(machine, false);
  assert.deepEqual(leftOut, []);
  const [was, is] = await Promise.all([discover(mockHost(machine)), discover(mockHost(entries))]);
  assert.deepEqual(is, was);
  const texts = new Map(machine.map((entry) => [entry.path, entry]));
  for (const entry of entries) assert.deepEqual(entry, texts.get(entry.path), entry.path);
});

test('the captured machine reacts as the machine does, by its archive', async () => {
  const { entries } = await captured(buildMachine(options), false);
  const host = mockHost(parseArchive(formatArchive(entries)));
  await host.write(hostPath('/sys/bus/dsa/drivers/crypto/unbind'), 'wq1.0');
  await host.write(hostPath('/sys/bus/dsa/drivers/crypto/unbind'), 'wq3.0');
  assert.equal((await host.exec(['rmmod', 'iaa_crypto'])).exitCode, 0);
  assert.equal((await host.exec(['modprobe', 'iaa_crypto'])).exitCode, 0);
  assert.deepEqual(await host.read([hostPath('/sys/bus/dsa/drivers/crypto/distribute_comps')]), ['1\n']);
});

test('a redacted capture does not tell the machine', async () => {
  const { entries } = await captured(buildMachine(options), true);
  const text = formatArchive(entries);
  for (const secret of ['00112233445566778899aabbccddeeff', '11111111-2222-4333-8444-555555555555']) {
    assert.ok(!text.includes(secret), secret);
  }
  assert.match(text, /file 0644 \/etc\/machine-id\n\|[0-9a-f]{32}\n/);
});
