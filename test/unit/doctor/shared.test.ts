import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { renderForecast, renderSharedUse } from '../../../src/cli/doctor.js';
import { discover } from '../../../src/discover/discover.js';
import { forecast } from '../../../src/doctor/effects.js';
import { readSharedUse } from '../../../src/doctor/shared.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import { deflateIaa, devicesDirectory, iaaMachine } from '../../support/iaa-machine.js';
import { MemoryHost } from '../../support/memory-host.js';
import { smallExperiment, smallMachine } from '../../support/small-machine.js';

/** The small machine with the IAA of another, and some who use swap, zswap, IAA and huge pages. */
function busyMachine(): MemoryHost {
  const host = iaaMachine({ wqs: 1 });
  for (const [path, text] of smallMachine().files) {
    if (!host.files.has(path) && !path.startsWith('/sys/devices')) host.files.set(path, text);
  }
  for (const [path, text] of Object.entries({
    '/proc/meminfo':
      'MemTotal:        2048000 kB\nMemAvailable:    1800000 kB\nAnonHugePages:     4096 kB\nHugePages_Total:       8\n',
    '/proc/40/status': 'Name:\tdatabase\nVmSwap:\t    2048 kB\nHugetlbPages:\t    8192 kB\n',
    '/proc/41/status': 'Name:\tidle\nVmSwap:\t       0 kB\n',
    '/proc/crypto': deflateIaa.replace('refcnt       : 1', 'refcnt       : 3'),
    '/sys/block/zram0/comp_algorithm': 'lzo [deflate-iaa]\n',
    '/sys/block/zram0/disksize': '1073741824\n',
    '/sys/block/zram1/comp_algorithm': '[lzo] deflate-iaa\n',
    '/sys/block/zram1/disksize': '1073741824\n',
    '/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages': '8\n',
    '/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages': '4\n',
    '/sys/fs/cgroup/db.service/memory.swap.current': '2097152\n',
    '/sys/fs/cgroup/db.service/memory.zswap.current': '524288\n',
    '/sys/kernel/debug/zswap/stored_pages': '512\n',
    '/sys/kernel/debug/zswap/pool_total_size': '524288\n',
  })) {
    host.files.set(path, text);
  }
  host.links.set(`${devicesDirectory}/iax1/wq1.5/driver`, '../../../../../bus/dsa/drivers/user');
  return host;
}

test('who uses what', async () => {
  const host = busyMachine();
  const shared = await readSharedUse(host, await discover(host));
  assert.deepEqual(shared.swap.processes, [
    { pid: 40, name: 'database', swapBytes: 2_097_152, hugetlbBytes: 8_388_608 },
  ]);
  assert.deepEqual(shared.iaa, {
    wqs: [
      { name: 'wq1.0', driver: 'crypto', clients: 0 },
      { name: 'wq1.5', driver: 'user', clients: 0 },
      { name: 'wq3.0', driver: 'crypto', clients: 0 },
    ],
    algorithms: [{ driver: 'deflate-iaa', references: 3 }],
    zram: [{ name: 'zram0', compressor: 'deflate-iaa', sizeBytes: 1_073_741_824 }],
  });
  assert.equal(
    renderSharedUse(shared),
    `who uses what now
  swap areas:
    /dev/vda  0.0 MiB of 4096.0 MiB
  processes in swap or zswap:
    40 database  2.0 MiB
  cgroups:
    /db.service  swap 2.0 MiB, zswap 0.5 MiB compressed, huge pages 0.0 MiB
  zswap:
    disabled, compressor lzo, 512 pages stored, pool 0.5 MiB
  IAA:
    wq1.0 of crypto, 0 clients
    wq1.5 of user, 0 clients
    wq3.0 of crypto, 0 clients
    deflate-iaa is in use (references 3)
    zram0 compresses with deflate-iaa
  huge pages:
    of programs: 4.0 MiB
    pool of 2048kB: 8 pages, 4 free
    40 database  8.0 MiB of the pools`,
  );
});

test('nobody uses anything', async () => {
  const host = new MemoryHost({ '/proc/sys/kernel/osrelease': '7.3.4\n' });
  const text = renderSharedUse(await readSharedUse(host, await discover(host)));
  assert.match(text, /swap areas: none\n {2}processes in swap or zswap: none\n {2}cgroups: none\n/);
  assert.match(text, /IAA: none/);
});

test('what could not be read is said', async () => {
  const host = busyMachine();
  host.files.set('/sys/block/zram0/disksize', 'big\n');
  const shared = await readSharedUse(host, await discover(host));
  assert.match(
    renderSharedUse(shared),
    / {2}not known:\n {4}\/sys\/block\/zram0\/disksize: expected a count/,
  );
});

test('long lists are cut, with their number', async () => {
  const host = busyMachine();
  for (let pid = 100; pid < 130; pid++) host.files.set(`/proc/${pid}/status`, 'Name:\tmany\nVmSwap:\t4 kB\n');
  const shared = await readSharedUse(host, await discover(host));
  assert.equal(shared.swap.processes.length, 31);
  assert.match(renderSharedUse(shared), /^ {4}and 21 more$/m);
});

describe('what an experiment would do', () => {
  test('each machine-wide change and who feels it', async () => {
    const cells = forecast(await discover(smallMachine()), smallExperiment());
    assert.deepEqual(
      cells.map(({ missing }) => missing),
      [[]],
    );
    const changes = new Map(cells[0]?.effects.map((effect) => [effect.path, effect]));
    assert.deepEqual(changes.get('/sys/module/zswap/parameters/compressor'), {
      path: '/sys/module/zswap/parameters/compressor',
      from: 'lzo',
      to: 'zstd',
      felt: 'all that is swapped from now on; what is in zswap stays with its compressor',
    });
    assert.equal(changes.get('/proc/sys/vm/page-cluster')?.felt, 'reclaim and swap of every process');
    const text = renderForecast(cells, true);
    assert.match(text, /^cell 1 \(zstd, 64kB\): can be run here$/m);
    assert.match(text, /^ {2}\/proc\/sys\/vm\/page-cluster: 3 -> 0\n {4}felt by: reclaim/m);
    assert.doesNotMatch(renderForecast(cells, false), /felt by/);
  });

  test('what is missing, all of it', async () => {
    const host = smallMachine();
    host.files.set('/proc/swaps', 'Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n');
    const experiment = parseExperiment(
      `name: x
matrix: { compressor: [zstd, deflate-iaa, deflate-iaa-dynamic], folio: [64kB] }
workload: { usemem: { processes: 1, size: 64M } }
`,
      'x.yaml',
    );
    const cells = forecast(await discover(host), experiment);
    assert.deepEqual(
      cells.map(({ missing }) => missing.map(({ path }) => path)),
      [['/proc/swaps'], [devicesDirectory, '/proc/swaps'], [devicesDirectory, '/proc/swaps']],
    );
    assert.deepEqual(
      cells.flatMap(({ effects }) => effects),
      [],
    );
    assert.match(
      renderForecast(cells, true),
      /cannot be run here\n {2}missing: deflate-iaa needs an IAA device/,
    );
  });

  test('dynamic mode needs devices that can', async () => {
    const experiment = parseExperiment(
      `name: x
matrix: { compressor: [deflate-iaa-dynamic], folio: [64kB] }
workload: { usemem: { processes: 1, size: 64M } }
`,
      'x.yaml',
    );
    const host = busyMachine();
    const [old] = forecast(await discover(host), experiment);
    assert.match(old?.missing[0]?.message ?? '', /iaa_cap/);
    host.files.set(`${devicesDirectory}/iax1/iaa_cap`, '0x1\n');
    const [able] = forecast(await discover(host), experiment);
    // The file has no part 'iaa' that would bind a WQ.
    assert.deepEqual(
      able?.missing.map(({ path }) => path),
      ['/sys/module/zswap/parameters/compressor'],
    );
  });
});
