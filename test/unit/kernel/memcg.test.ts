import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Finding } from '../../../src/discover/inventory.js';
import { hostPath } from '../../../src/host/path.js';
import {
  cgroupFile,
  parseControllers,
  parsePressure,
  parseProcs,
  readCgroup,
  readCgroupCounters,
  readMemoryLimits,
  readProcs,
} from '../../../src/kernel/memcg.js';
import { mountinfoPath, parseMountinfo } from '../../../src/kernel/mountinfo.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

const group = hostPath('/sys/fs/cgroup/lab');
const file = (name: string) => cgroupFile(group, name);

describe('limits', () => {
  const files = {
    [file('memory.high')]: '161061273600\n',
    [file('memory.max')]: 'max\n',
    [file('memory.swap.max')]: '0\n',
    [file('memory.zswap.max')]: '9223372036854771712\n',
    [file('memory.zswap.writeback')]: '1\n',
  };

  test('good, past 2^53 too', async () => {
    const findings: Finding[] = [];
    assert.deepEqual(await readMemoryLimits(new MemoryHost(files), group, findings), {
      high: 161_061_273_600n,
      max: 'max',
      swapMax: 0n,
      zswapMax: 9_223_372_036_854_771_712n,
      zswapWriteback: true,
    });
    assert.deepEqual(findings, []);
  });

  test('absent', async () => {
    const findings: Finding[] = [];
    const limits = await readMemoryLimits(new MemoryHost(), group, findings);
    assert.deepEqual(new Set(Object.values(limits)), new Set([undefined]));
    assert.deepEqual(findings, []);
  });

  for (const path of Object.keys(files)) {
    test(`malformed ${path} is one finding`, async () => {
      const findings: Finding[] = [];
      const limits = await readMemoryLimits(new MemoryHost({ ...files, [path]: '150G\n' }), group, findings);
      assert.deepEqual(
        findings.map((finding) => finding.path),
        [path],
      );
      assert.equal(Object.values(limits).filter((value) => value === undefined).length, 1);
    });
  }
});

describe('counters', () => {
  const files = {
    [file('memory.current')]: '104857600\n',
    [file('memory.zswap.current')]: '32768\n',
    [file('memory.events')]: 'low 0\nhigh 1234\nmax 0\noom 0\noom_kill 0\noom_group_kill 0\n',
    [file('memory.swap.events')]: 'high 0\nmax 0\nfail 7\n',
    [file('memory.stat')]: 'anon 4096\nzswap 32768\nzswapped 131072\nzswpout 32\n',
    [file('memory.pressure')]:
      'some avg10=1.50 avg60=0.20 avg300=0.00 total=123456\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=7\n',
    [file('cpu.stat')]: 'usage_usec 300\nuser_usec 200\nsystem_usec 100\n',
  };

  test('good', async () => {
    const findings: Finding[] = [];
    const counters = await readCgroupCounters(new MemoryHost(files), group, findings);
    assert.equal(counters.currentBytes, 104_857_600);
    assert.equal(counters.zswapCurrentBytes, 32_768);
    assert.equal(counters.events?.get('high'), 1234n);
    assert.equal(counters.swapEvents?.get('fail'), 7n);
    assert.equal(counters.stat?.get('zswapped'), 131_072n);
    assert.equal(counters.cpu?.get('system_usec'), 100n);
    assert.deepEqual(counters.pressure, {
      some: { avg10: 1.5, avg60: 0.2, avg300: 0, totalUs: 123_456n },
      full: { avg10: 0, avg60: 0, avg300: 0, totalUs: 7n },
    });
    assert.deepEqual(findings, []);
  });

  test('absent', async () => {
    const findings: Finding[] = [];
    const counters = await readCgroupCounters(new MemoryHost(), group, findings);
    assert.deepEqual(new Set(Object.values(counters)), new Set([undefined]));
    assert.deepEqual(findings, []);
  });

  for (const path of Object.keys(files)) {
    test(`malformed ${path} is one finding`, async () => {
      const findings: Finding[] = [];
      const counters = await readCgroupCounters(
        new MemoryHost({ ...files, [path]: 'ju\u001bnk\n' }),
        group,
        findings,
      );
      assert.deepEqual(
        findings.map((finding) => finding.path),
        [path],
      );
      assert.equal(Object.values(counters).filter((value) => value === undefined).length, 1);
    });
  }
});

describe('pressure', () => {
  test('without full, as kernels before 5.13 have it for cpu', () => {
    const { some, full } = parsePressure('some avg10=0.00 avg60=0.00 avg300=0.00 total=9\n', '/x');
    assert.equal(some.totalUs, 9n);
    assert.equal(full, undefined);
  });

  for (const [name, text, line] of [
    ['empty', '', undefined],
    ['no line some', 'full avg10=0.00 avg60=0.00 avg300=0.00 total=9\n', undefined],
    ['a share that is no number', 'some avg10=x avg60=0.00 avg300=0.00 total=9\n', 1],
    ['junk after', 'some avg10=0.00 avg60=0.00 avg300=0.00 total=9\nrest\n', 2],
  ] as const) {
    test(`malformed: ${name}`, () =>
      assert.throws(() => parsePressure(text, '/x'), parseErrorAt('/x', line)));
  }
});

describe('processes', () => {
  test('good, absent, malformed', async () => {
    assert.deepEqual(parseProcs('1\n4711\n0\n', '/x'), [1, 4711, 0]);
    assert.deepEqual(parseProcs('', '/x'), []);
    assert.throws(() => parseProcs('1\n-2\n', '/x'), parseErrorAt('/x', 2));
    assert.deepEqual(await readProcs(new MemoryHost({ [file('cgroup.procs')]: '12\n' }), group, []), [12]);
    assert.equal(await readProcs(new MemoryHost(), group, []), undefined);
  });

  test('a removed group answers ENODEV, which is no finding', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({ [file('cgroup.procs')]: '12\n' });
    host.failNext('read', file('cgroup.procs'), 'ENODEV');
    assert.equal(await readProcs(host, group, findings), undefined);
    assert.deepEqual(findings, []);
  });
});

test('controllers', () => {
  assert.deepEqual(parseControllers('cpuset cpu io memory pids\n', '/x'), [
    'cpuset',
    'cpu',
    'io',
    'memory',
    'pids',
  ]);
  assert.deepEqual(parseControllers('\n', '/x'), []);
  assert.deepEqual(parseControllers('', '/x'), []);
  assert.throws(() => parseControllers('cpu  memory\n', '/x'), parseErrorAt('/x', undefined));
  assert.throws(() => parseControllers('cpu\u001b\n', '/x'), parseErrorAt('/x', undefined));
});

const rootMount = '27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n';
const unified = '41 31 0:38 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n';

describe('mountinfo', () => {
  test('good: optional fields, octal escapes, a source without a name', () => {
    const text = `${rootMount}${unified}50 27 0:99 / /mnt/my\\040group rw - cgroup2  rw,odd option\n`;
    assert.deepEqual(parseMountinfo(text), [
      { mountPoint: '/', type: 'ext4', superOptions: ['rw', 'discard'] },
      { mountPoint: '/sys/fs/cgroup', type: 'cgroup2', superOptions: ['rw', 'nsdelegate'] },
      { mountPoint: '/mnt/my group', type: 'cgroup2', superOptions: ['rw', 'odd option'] },
    ]);
  });

  for (const [name, line] of [
    ['junk', 'junk'],
    ['a field too few', '41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2'],
    ['a relative mount point', '41 31 0:38 / sys rw - cgroup2 cgroup2 rw'],
    ['a mount point that climbs', '41 31 0:38 / /sys/../etc rw - cgroup2 cgroup2 rw'],
    ['a mount point with an empty name', '41 31 0:38 / /sys//x rw - cgroup2 cgroup2 rw'],
  ] as const) {
    test(`malformed: ${name}`, () =>
      assert.throws(() => parseMountinfo(`${rootMount}${line}\n`), parseErrorAt(mountinfoPath, 2)));
  }
});

describe('readCgroup', () => {
  const v1 = '35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n';
  const controllers = '/sys/fs/cgroup/cgroup.controllers';
  const subtree = '/sys/fs/cgroup/cgroup.subtree_control';

  test('v2 under systemd', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({
      [mountinfoPath]: rootMount + unified,
      [controllers]: 'cpuset cpu io memory\n',
      [subtree]: 'cpu memory\n',
    });
    host.directories.add('/run/systemd/system');
    assert.deepEqual(await readCgroup(host, findings), {
      mount: '/sys/fs/cgroup',
      controllers: ['cpuset', 'cpu', 'io', 'memory'],
      subtreeControl: ['cpu', 'memory'],
      systemd: true,
    });
    assert.deepEqual(findings, []);
  });

  test('a mount point with a blank in it', async () => {
    const host = new MemoryHost({
      [mountinfoPath]: '50 27 0:99 / /mnt/my\\040group rw - cgroup2 none rw\n',
      '/mnt/my group/cgroup.controllers': 'memory\n',
      '/mnt/my group/cgroup.subtree_control': '\n',
    });
    const findings: Finding[] = [];
    assert.equal((await readCgroup(host, findings)).mount, '/mnt/my group');
    assert.deepEqual(findings, []);
  });

  for (const [name, mounts, files, message] of [
    ['v1 only', v1, {}, 'only cgroup v1 is mounted; runs need cgroup v2'],
    ['none', '', {}, 'no cgroup v2 is mounted'],
    [
      'hybrid: the memory controller is on v1',
      v1 + unified,
      { [controllers]: 'hugetlb\n', [subtree]: '\n' },
      'the memory controller is on cgroup v1 (/sys/fs/cgroup/memory)',
    ],
    [
      'v2 without memory controller',
      unified,
      { [controllers]: 'cpu\n', [subtree]: '\n' },
      'cgroup v2 has no memory controller here',
    ],
  ] as const) {
    test(name, async () => {
      const findings: Finding[] = [];
      const state = await readCgroup(
        new MemoryHost({ [mountinfoPath]: rootMount + mounts, ...files }),
        findings,
      );
      assert.equal(state.controllers.includes('memory'), false);
      assert.equal(state.systemd, false);
      assert.deepEqual(
        findings.map((finding) => finding.message),
        [message],
      );
    });
  }

  for (const [systemd, mend] of [
    [true, /^boot with the parameter systemd\.unified_cgroup_hierarchy=1$/],
    [false, /^boot with the parameter cgroup_no_v1=all, and mount/],
  ] as const) {
    test(`the mend is for a machine ${systemd ? 'with' : 'without'} systemd`, async () => {
      const findings: Finding[] = [];
      const host = new MemoryHost({ [mountinfoPath]: rootMount + v1 });
      if (systemd) host.directories.add('/run/systemd/system');
      await readCgroup(host, findings);
      assert.match(findings[0]?.mend ?? '', mend);
    });
  }

  test('malformed controllers are one finding', async () => {
    const findings: Finding[] = [];
    const host = new MemoryHost({
      [mountinfoPath]: rootMount + unified,
      [controllers]: '\u001b]0;title\u0007\n',
      [subtree]: 'memory\n',
    });
    assert.deepEqual((await readCgroup(host, findings)).controllers, []);
    assert.deepEqual(
      findings.map((finding) => finding.path),
      [controllers],
    );
  });
});
