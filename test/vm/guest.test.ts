import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { findGuest, type Guest, guestDefaults, shareMount, startGuest } from '../../src/vm/index.js';
import { guestTest, output, textOf } from '../support/guest.js';

guestTest("the kernel is the one of the cache's manifest", async (guest) => {
  const { kernel } = guest.state;
  assert.equal(await textOf(guest, '/proc/sys/kernel/osrelease'), kernel.release);
  // Debian's version stands at the end of the kernel's own.
  assert.match(
    await textOf(guest, '/proc/version'),
    new RegExp(`Debian ${kernel.version.replace('+', '\\+')} `),
  );
  assert.ok(kernel.packages.some(({ name }) => name === `linux-modules-${kernel.release}`));
});

guestTest('exit codes and signals come back', async (guest) => {
  const end = async (script: string) => {
    const { exitCode, signal } = await guest.run(['sh', '-c', script]);
    return { exitCode, signal };
  };
  assert.deepEqual(await end('exit 0'), { exitCode: 0, signal: undefined });
  assert.deepEqual(await end('exit 42'), { exitCode: 42, signal: undefined });
  assert.deepEqual(await end('kill -KILL $$'), { exitCode: undefined, signal: 'SIGKILL' });
  assert.deepEqual(await end('kill -SEGV $$'), { exitCode: undefined, signal: 'SIGSEGV' });
});

guestTest('a program that cannot be executed is told apart from one that fails', async (guest) => {
  const missing = await guest.run(['no-such-program']);
  assert.equal(missing.exitCode, 127);
  assert.match(missing.stderr.toString(), /^no-such-program: No such file or directory$/m);
  assert.equal((await guest.run(['/etc/passwd'])).exitCode, 126);
  const nowhere = await guest.run(['true'], { cwd: '/no/such/folder' });
  assert.equal(nowhere.exitCode, 125);
  assert.match(nowhere.stderr.toString(), /^chdir \/no\/such\/folder: /);
});

guestTest('arguments, environment and working directory arrive as they are', async (guest) => {
  const words = ['', ' two  blanks ', 'new\nline', '%20', 'Grüße', '"quoted"', '-n'];
  const shown = await guest.run(['printf', '<%s>', ...words]);
  assert.equal(shown.stdout.toString(), words.map((word) => `<${word}>`).join(''));
  const env = { HOME: '/tmp', EMPTY: '', TEXT: 'a=b c' };
  const inside = await guest.run(['sh', '-c', 'echo "$HOME|$EMPTY|$TEXT|$IAA_ZSWAP_GUEST|$LC_ALL"; pwd'], {
    cwd: '/usr/lib',
    env,
  });
  assert.equal(inside.stdout.toString(), '/tmp||a=b c|1|C\n/usr/lib\n');
});

guestTest('stdout and stderr stay apart', async (guest) => {
  const { stdout, stderr } = await guest.run(['sh', '-c', 'echo one; echo two >&2; echo three']);
  assert.equal(stdout.toString(), 'one\nthree\n');
  assert.equal(stderr.toString(), 'two\n');
});

guestTest('10 MB of output arrive whole', async (guest) => {
  const script = 'seq 1 1500000 | head -c 10000000 | tee /tmp/ten | md5sum >&2; cat /tmp/ten; rm /tmp/ten';
  const { stdout, stderr } = await guest.run(['sh', '-c', script]);
  assert.equal(stdout.length, 10_000_000);
  assert.equal(createHash('md5').update(stdout).digest('hex'), stderr.toString().split(' ')[0]);
});

guestTest('output comes while the program runs, and a signal ends it', async (guest) => {
  const channel = await guest.connect();
  try {
    // It can only end by the signal, which is sent when its first word is here.
    const script = "trap 'echo caught; exit 3' INT; echo ready; while :; do sleep 0.1; done";
    let said = '';
    const end = await channel.run({
      argv: ['sh', '-c', script],
      onOutput: (_stream, bytes) => {
        said += bytes.toString();
        if (said === 'ready\n') channel.kill('SIGINT');
      },
    });
    assert.deepEqual(end, { exitCode: 3, signal: undefined });
    assert.equal(said, 'ready\ncaught\n');
    // The channel serves the next one.
    const next = await channel.run({ argv: ['true'], onOutput: () => undefined });
    assert.equal(next.exitCode, 0);
  } finally {
    channel.close();
  }
});

guestTest('programs run side by side', async (guest) => {
  // Each waits for the others' files: one after another they would never end.
  const names = ['a', 'b', 'c', 'd'];
  await output(guest, 'mkdir', '/tmp/side');
  const script = 'touch /tmp/side/$1; while [ $(ls /tmp/side | wc -l) -lt 4 ]; do sleep 0.05; done; echo $1';
  const all = await Promise.all(
    names.map((name) => output(guest, 'timeout', '30', 'sh', '-c', script, 'sh', name)),
  );
  assert.deepEqual(
    all,
    names.map((name) => `${name}\n`),
  );
  await output(guest, 'rm', '-r', '/tmp/side');
});

guestTest('a client that goes away takes its program with it, by SIGHUP', async (guest) => {
  const channel = await guest.connect();
  const script = "trap 'echo hung up > /share/end; exit' HUP; echo ready; while :; do sleep 0.1; done";
  const run = channel.run({ argv: ['sh', '-c', script], onOutput: () => channel.close() });
  await assert.rejects(run, /the guest is gone/);
  const end = join(guest.share, 'end');
  for (let waited = 0; !existsSync(end) && waited < 100; waited += 1) await output(guest, 'sleep', '0.1');
  assert.equal(readFileSync(end, 'utf8'), 'hung up\n');
  rmSync(end);
});

guestTest('files go both ways through the share', async (guest) => {
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 31) % 256));
  writeFileSync(join(guest.share, 'in'), bytes);
  await output(guest, 'cp', `${shareMount}/in`, `${shareMount}/out`);
  assert.deepEqual(readFileSync(join(guest.share, 'out')), bytes);
  await output(guest, 'rm', `${shareMount}/in`, `${shareMount}/out`);
  assert.equal(existsSync(join(guest.share, 'in')), false);
});

/** A folder of this machine with a file `file` in it, as the guest sees it too. */
async function machineFolder(guest: Guest, t: TestContext, text: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'iaa-zswap-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'file'), text);
  await guest.refresh();
  return folder;
}

guestTest("the guest cannot change the machine's files", async (guest, t) => {
  const folder = await machineFolder(guest, t, 'outside');
  await output(guest, 'sh', '-c', `cd ${folder} && echo inside > file && echo new > other`);
  assert.equal(await textOf(guest, join(folder, 'file')), 'inside');
  assert.equal(await textOf(guest, join(folder, 'other')), 'new');
  assert.equal(readFileSync(join(folder, 'file'), 'utf8'), 'outside');
  assert.deepEqual(readdirSync(folder), ['file']);
});

guestTest('a changed file of the machine is seen after a refresh', async (guest, t) => {
  const folder = await machineFolder(guest, t, 'one');
  assert.equal(await textOf(guest, join(folder, 'file')), 'one');
  writeFileSync(join(folder, 'file'), 'another');
  writeFileSync(join(folder, 'added'), 'new');
  await guest.refresh();
  assert.equal(await textOf(guest, join(folder, 'file')), 'another');
  assert.equal(await textOf(guest, join(folder, 'added')), 'new');
});

guestTest('what the tool works on is there', async (guest) => {
  const zswap = await output(guest, 'ls', '/sys/module/zswap/parameters');
  for (const name of ['enabled', 'compressor', 'max_pool_percent'])
    assert.ok(zswap.split('\n').includes(name), name);
  const mounts = (await textOf(guest, '/proc/mounts')).split('\n').map((line) => line.split(' '));
  const typeAt = (point: string) => mounts.find(([, at]) => at === point)?.[2];
  assert.equal(typeAt('/sys/kernel/debug'), 'debugfs');
  assert.equal(typeAt('/sys/fs/cgroup'), 'cgroup2');
  assert.equal(typeAt('/'), 'overlay');
  const controllers = (await textOf(guest, '/sys/fs/cgroup/cgroup.controllers')).split(' ');
  for (const name of ['memory', 'cpuset']) assert.ok(controllers.includes(name), name);
  const [, swap] = (await textOf(guest, '/proc/swaps')).split('\n');
  const [path, type, sizeKiB] = swap?.split(/\s+/) ?? [];
  assert.deepEqual([path, type], ['/dev/vda', 'partition']);
  // The first page of a swap area is its header.
  assert.equal(Number(sizeKiB), guest.state.swapBytes / 1024 - 4);
  assert.equal(
    (await textOf(guest, '/proc/net/dev'))
      .match(/^\s*(\w+):/gm)
      ?.join()
      .trim(),
    'lo:',
  );
});

guestTest("the kernel loads modules of its own from the machine's folder", async (guest) => {
  await output(guest, 'modprobe', 'zstd');
  assert.match(await textOf(guest, '/proc/crypto'), /^driver +: zstd-generic$/m);
  await output(guest, 'modprobe', '-r', 'zstd');
});

guestTest('orphans are reaped', async (guest) => {
  await output(guest, 'sh', '-c', '(sleep 0.1 &) ; sleep 0.5');
  const states = await output(guest, 'sh', '-c', 'cat /proc/[0-9]*/stat 2>/dev/null');
  const zombies = states.split('\n').filter((line) => /\) Z /.test(line));
  assert.deepEqual(zombies, []);
});

/** Numbers of the QEMU processes that use a folder. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const argv = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
      return argv[0]?.startsWith('qemu-system') === true && argv.some((word) => word.includes(`${folder}/`));
    } catch {
      return false;
    }
  });
}

guestTest('a guest of its own: booted, switched off from inside, nothing left', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'iaa-zswap-own-'));
  const guest = await startGuest({
    ...guestDefaults,
    folder,
    memoryMiB: 512,
    cpus: 1,
    leased: false,
    progress: () => undefined,
  });
  try {
    assert.equal(processesOf(folder).length, 1);
    await assert.rejects(
      startGuest({ ...guestDefaults, folder, leased: false, progress: () => undefined }),
      /a guest runs in .* already/,
    );
    const off = guest.run(['sh', '-c', 'echo o > /proc/sysrq-trigger; sleep 60']);
    await assert.rejects(off, /ended while sh ran/);
    for (let waited = 0; guest.isRunning() && waited < 100; waited += 1)
      await new Promise((r) => setTimeout(r, 100));
    assert.equal(guest.isRunning(), false);
    assert.deepEqual(processesOf(folder), []);
    assert.equal(await findGuest(folder), undefined);
  } finally {
    await guest.stop();
  }
  assert.equal(existsSync(folder), false);
});

guestTest('a panic is one error with its reason and the console', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'iaa-zswap-panic-'));
  const guest = await startGuest({
    ...guestDefaults,
    folder,
    cpus: 1,
    leased: true,
    progress: () => undefined,
  });
  try {
    await assert.rejects(guest.run(['sh', '-c', 'echo c > /proc/sysrq-trigger']), (error: Error) => {
      assert.match(
        error.message,
        /^the guest in \S+ ended while sh ran \(Kernel panic - not syncing: sysrq triggered/,
      );
      assert.ok(error.message.includes(join(folder, 'console.log')));
      return true;
    });
  } finally {
    await guest.stop();
  }
});

guestTest('with systemd as its init a guest has scopes and none of the services', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'iaa-zswap-systemd-'));
  const guest = await startGuest({
    ...guestDefaults,
    folder,
    init: 'systemd',
    leased: true,
    progress: () => undefined,
  });
  try {
    assert.equal(await textOf(guest, '/proc/1/comm'), 'systemd');
    const scope = ['systemd-run', '--scope', '--quiet', '--unit=test.scope', '-p', 'Delegate=yes'];
    assert.equal(await output(guest, ...scope, 'cat', '/proc/self/cgroup'), '0::/system.slice/test.scope\n');
    const services = await output(guest, 'systemctl', 'list-units', '--no-legend', '--type=service');
    assert.equal(services, '');
  } finally {
    await guest.stop();
  }
});
