import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Journal } from '../../../src/apply/journal.js';
import { discover } from '../../../src/discover/discover.js';
import { FailedRestoredError, RestoreError } from '../../../src/errors.js';
import { applyPlan } from '../../../src/experiment/apply-plan.js';
import { cellsOf } from '../../../src/experiment/cells.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import { restoreHost } from '../../../src/experiment/restore-host.js';
import type { MemoryTree } from '../../../src/host/memory-tree.js';
import { MockHost } from '../../../src/host/mock.js';
import { hostPath } from '../../../src/host/path.js';
import { plan } from '../../../src/plan/plan.js';
import { buildMachine } from '../../../src/testing/index.js';
import { treeOf } from '../../../src/testing/machine.js';
import { settingsOf, setUpZswap } from '../../support/fault-points.js';

const crypto = '/sys/bus/dsa/drivers/crypto';
const devices = '/sys/bus/dsa/devices';
const compressor = hostPath('/sys/module/zswap/parameters/compressor');

let state: string;
let tree: MemoryTree;
let host: MockHost;

beforeEach(async () => {
  state = mkdtempSync(join(tmpdir(), 'iaa-apply-'));
  tree = treeOf(buildMachine({ kernel: 'mainline 6.18', packages: 1, coresPerPackage: 4, iaaPerPackage: 2 }));
  host = new MockHost('mock:memory', '/memory', tree);
  await setUpZswap(host);
});
afterEach(() => rmSync(state, { recursive: true }));

async function applyIaa(iaa: string, more = ''): Promise<void> {
  const experiment = parseExperiment(
    `name: x
matrix: { compressor: [deflate-iaa], folio: [64kB] }
iaa: ${iaa}
${more}
workload: { usemem: { processes: 1, size: 64M } }
`,
    'x.yaml',
  );
  const [cell] = cellsOf(experiment);
  assert.ok(cell);
  const inventory = await discover(host);
  await applyPlan(host, plan(inventory, experiment, cell), { inventory, stateDirectory: state });
}

/** As if the workload had stored pages. */
function storePages(count: number): void {
  for (const name of ['stored_pages', 'pool_total_size']) {
    tree.apply({ kind: 'file', path: `/sys/kernel/debug/zswap/${name}`, text: `${count}\n`, mode: 0o444 });
  }
}

describe('IAA, applied and restored', () => {
  it('is as planned, and then as before to the byte', async () => {
    const before = settingsOf(tree);
    await applyIaa(
      '{ wqs: [{ size: 64, name: a }, { size: 64, name: b }], driver: { verify_compress: false } }',
    );
    const [name, size, verify, used] = await host.read(
      [
        `${devices}/iax3/wq3.1/name`,
        `${devices}/iax3/wq3.1/size`,
        `${crypto}/verify_compress`,
        compressor,
      ].map((path) => hostPath(path)),
    );
    assert.deepEqual([name, size, verify, used], ['b\n', '64\n', '0\n', 'deflate-iaa\n']);
    const restored = await restoreHost(host, state);
    assert.equal(restored.state, 'restored');
    assert.deepEqual(settingsOf(tree), before);
  });

  it('unbinds nothing while pages live in it: exit 5, and restore finishes when they are gone', async () => {
    const before = settingsOf(tree);
    await applyIaa('{ wqs: [{ size: 64 }] }');
    storePages(2048);
    await assert.rejects(restoreHost(host, state), (error) => {
      assert.ok(error instanceof RestoreError);
      assert.equal(error.exitCode, 5);
      assert.match(error.message, /deflate-iaa \(refcnt \d+\) is still in use after 10 s/);
      assert.match(error.message, /holds 2048 pages/);
      return true;
    });
    assert.ok(existsSync(Journal.pathIn(state)));
    assert.equal((await host.read([hostPath(devices, 'iax1/wq1.0/state')]))[0], 'enabled\n');
    assert.notEqual((await host.read([compressor]))[0], 'deflate-iaa\n');
    storePages(0);
    // The last page gone, zswap lets the old pool go.
    await host.write(compressor, 'deflate-iaa\n');
    await host.write(compressor, `${before[compressor]}`);
    await restoreHost(host, state);
    assert.deepEqual(settingsOf(tree), before);
  });

  it('goes back when a step fails, through what the failed step has left', async () => {
    const before = settingsOf(tree);
    // The hardware refuses: no engine is in the WQ's group.
    await assert.rejects(
      applyIaa(
        '{ wqs: [{ size: 64 }, { size: 64, group_id: 1 }], groups: [{ engines: 0-7 }, { engines: "0" }] }',
      ),
      /engine 0 is in more than one group/,
    );
    const write = host.write.bind(host);
    host.write = async (path, text, options) => {
      if (path === hostPath(crypto, 'bind') && text === 'wq3.0\n') {
        host.write = write;
        return write(path, 'wq9.9\n', options);
      }
      return write(path, text, options);
    };
    await assert.rejects(applyIaa('{ wqs: [{ size: 64 }] }'), FailedRestoredError);
    assert.deepEqual(settingsOf(tree), before);
  });

  it('leaves a device alone that somebody else took meanwhile, unless told to overwrite', async () => {
    const before = settingsOf(tree);
    await applyIaa('{ wqs: [{ size: 64 }] }');
    await host.write(compressor, 'lzo\n');
    await host.write(hostPath(crypto, 'unbind'), 'wq3.0\n');
    await assert.rejects(restoreHost(host, state), (error) => {
      assert.ok(error instanceof RestoreError);
      assert.match(error.message, /iax3: somebody else changed it since: wq3\.0 is unbound/);
      return true;
    });
    assert.equal((await host.read([hostPath(devices, 'iax3/wq3.0/type')]))[0], 'none\n');
    assert.equal((await host.read([hostPath(devices, 'iax1/wq1.0/size')]))[0], '128\n');
    await restoreHost(host, state, { overwrite: true });
    assert.deepEqual(settingsOf(tree), before);
  });

  it('brings a swap area of its own and takes it away', async () => {
    const file = '/sys/class/block/nvme1n1/size';
    tree.apply({ kind: 'file', path: file, text: '2097152\n', mode: 0o444 });
    const before = settingsOf(tree);
    await applyIaa('{ wqs: [{ size: 64 }] }', 'swap: { device: /dev/nvme1n1 }');
    const [swaps = ''] = await host.read([hostPath('/proc/swaps')]);
    assert.match(swaps, /^\/dev\/nvme1n1 .*\t1$/m);
    await restoreHost(host, state);
    assert.deepEqual(settingsOf(tree), before);
  });
});
