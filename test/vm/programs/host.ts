// Runs inside the guest: what the live host does on a real kernel that may be changed. Prints the name of each part that
// held; the first that does not ends the program.
//   host.js                         all parts
//   host.js --orphan GROUP [USER]   starts a workload in GROUP and waits to be killed
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host, WorkloadExit, WorkloadSpec } from '../../../src/host/host.js';
import { openHost } from '../../../src/host/open.js';
import { type HostPath, hostPath } from '../../../src/host/path.js';
import { helperPath } from '../../../src/native/load.js';
import { withoutSyscall } from '../../support/without-syscall.js';

const group = hostPath('/sys/fs/cgroup/iaa-zswap-host-test');
const directory = mkdtempSync(join(tmpdir(), 'host-'));
let files = 0;

function launch(host: Host, cgroup: HostPath, ...argv: string[]) {
  return launchSpec(host, cgroup, { argv });
}

function launchSpec(host: Host, cgroup: HostPath, spec: Pick<WorkloadSpec, 'argv' | 'user' | 'directory'>) {
  const name = join(directory, String(files++));
  const running = host.launch({ ...spec, stdoutFile: `${name}.out`, stderrFile: `${name}.err` }, cgroup);
  return { ...running, stdout: () => readFileSync(`${name}.out`, 'utf8') };
}

/** Runs a shell script as a workload in the group. */
async function run(host: Host, script: string): Promise<{ exit: WorkloadExit; stdout: string }> {
  const { exit, stdout } = launch(host, group, '/bin/sh', '-c', script);
  return { exit: await exit, stdout: stdout() };
}

async function members(host: Host): Promise<string> {
  const [text] = await host.read([hostPath(group, 'cgroup.procs')]);
  return text ?? '';
}

async function emptied(host: Host): Promise<void> {
  for (let tries = 0; (await members(host)) !== ''; tries++) {
    assert.ok(tries < 100, 'the group stays occupied');
    await sleep(100);
  }
}

const parts: Record<string, (host: Host) => Promise<void>> = {
  async 'a workload is in its cgroup from the start, with nothing of ours'(host) {
    const { exit, stdout } = await run(
      host,
      `cat /proc/self/cgroup; readlink /proc/self/fd/0; ls /proc/self/fd | tr '\\n' ' '; echo
       grep -E '^Sig(Blk|Ign)' /proc/self/status; env | sort; pwd; exit 7`,
    );
    assert.equal(exit.exitCode, 7);
    assert.equal(exit.signal, undefined);
    const lines = stdout.split('\n').filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line));
    assert.deepEqual(lines, [
      '0::/iaa-zswap-host-test',
      '/dev/null',
      // 3 is the directory that ls has open.
      '0 1 2 3 ',
      'SigBlk:\t0000000000000000',
      'SigIgn:\t0000000000000000',
      'LC_ALL=C',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      '/',
      '',
    ]);
  },

  async 'another user gets its own identity, and nothing of root'(host) {
    const script = `grep -E '^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Amb)):' /proc/self/status; cat /proc/self/cgroup
      env | grep -vE '^(PWD|OLDPWD|SHLVL|_)=' | sort; echo "folder $(pwd)"; set -- $(cat /proc/self/stat)
      echo "session of its own $(($6 == $$)), terminal $7"
      cat /etc/shadow >/dev/null; echo "read shadow $?"; kill -0 1; echo "signal init $?"
      (echo 0 >/sys/fs/cgroup/cgroup.procs); echo "leave the group $?"`;
    const { exit, stdout } = launchSpec(host, group, {
      argv: ['/bin/sh', '-c', script],
      user: 'nobody:65534',
      directory: '/usr/lib',
    });
    assert.equal((await exit).exitCode, 0);
    const none = '0'.repeat(16);
    assert.deepEqual(stdout().split('\n'), [
      'Uid:\t65534\t65534\t65534\t65534',
      'Gid:\t65534\t65534\t65534\t65534',
      'Groups:\t65534 ',
      `CapInh:\t${none}`,
      `CapPrm:\t${none}`,
      `CapEff:\t${none}`,
      `CapAmb:\t${none}`,
      '0::/iaa-zswap-host-test',
      'HOME=/nonexistent',
      'LC_ALL=C',
      'LOGNAME=nobody',
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      'SHELL=/usr/sbin/nologin',
      'USER=nobody',
      'folder /usr/lib',
      'session of its own 1, terminal 0',
      'read shadow 1',
      'signal init 1',
      'leave the group 2',
      '',
    ]);
  },

  async 'another user is killed with the program that launched it, and by it'(host) {
    const { exit, kill } = launchSpec(host, group, { argv: ['/bin/sleep', '1000'], user: '65534' });
    while ((await members(host)) === '') await sleep(20);
    kill();
    assert.equal((await exit).signal, 'SIGKILL');
    const parent = spawn(process.execPath, [process.argv[1] ?? '', '--orphan', group, '65534'], {
      stdio: 'inherit',
    });
    const gone = new Promise((resolve) => parent.on('exit', resolve));
    while ((await members(host)) === '') await sleep(50);
    parent.kill('SIGKILL');
    await gone;
    await emptied(host);
  },

  async 'a user that is not there, a foreign group and a closed folder are told'(host) {
    const refused = (user: string, directory?: string) =>
      launchSpec(host, group, { argv: ['/bin/true'], user, directory }).exit;
    await assert.rejects(refused('4711'), { message: /ENOENT from getpwuid/ });
    await assert.rejects(refused('nobody:0'), { message: /EPERM from group/ });
    await assert.rejects(refused('65534', '/root'), {
      message: /EACCES from chdir/,
      hint: '/root must be a folder that can be entered for user 65534',
    });
  },

  async 'usage is that of the workload and of what it waited for'(host) {
    const { exit } = await run(
      host,
      'sh -c "i=0; while [ \\$i -lt 20000 ]; do i=\\$((i+1)); done"; sleep 0.3',
    );
    assert.equal(exit.exitCode, 0);
    assert.ok(exit.userUs > 0n, `user ${exit.userUs}`);
    assert.ok(exit.elapsedNs > 300_000_000n, `elapsed ${exit.elapsedNs}`);
    assert.ok((exit.userUs + exit.systemUs) * 1000n < exit.elapsedNs, 'the sleep is not counted');
    assert.ok(exit.maxRssKiB > 500, `${exit.maxRssKiB} KiB`);
  },

  async 'a signal that ends a workload has its name'(host) {
    const { exit } = await run(host, 'kill -SEGV $$');
    assert.deepEqual([exit.exitCode, exit.signal], [undefined, 'SIGSEGV']);
    // Real-time signals have no abbreviation.
    const realTime = await run(host, 'kill -35 $$');
    assert.equal(realTime.exit.signal, 'SIG35');
  },

  async 'kill ends it'(host) {
    const { exit, kill } = launch(host, group, '/bin/sleep', '1000');
    while ((await members(host)) === '') await sleep(20);
    kill();
    const { exitCode, signal } = await exit;
    assert.deepEqual([exitCode, signal], [undefined, 'SIGKILL']);
    kill();
  },

  async 'a program that cannot be executed is told apart from one that ends with 127'(host) {
    await assert.rejects(launch(host, group, '/no/such/program').exit, {
      code: 'ERR_WORKLOAD',
      message: `/no/such/program: cannot be started in ${group}: ENOENT from execve`,
      hint: '/no/such/program must exist and be executable',
    });
    await assert.rejects(launch(host, group, '/etc/passwd').exit, { message: /EACCES from execve/ });
    assert.equal((await run(host, 'exit 127')).exit.exitCode, 127);
    await emptied(host);
  },

  async 'when the program that launched it is killed, the workload is too'(host) {
    const parent = spawn(process.execPath, [process.argv[1] ?? '', '--orphan', group], { stdio: 'inherit' });
    const gone = new Promise((resolve) => parent.on('exit', resolve));
    while ((await members(host)) === '') await sleep(50);
    parent.kill('SIGKILL');
    await gone;
    await emptied(host);
  },

  async 'without clone3 the child enters the group itself, before it executes'() {
    const [file = '', ...words] = withoutSyscall('clone3', constants.errno.ENOSYS, [
      helperPath('launch'),
      group,
      '--',
      '/bin/cat',
      '/proc/self/cgroup',
    ]);
    const { output, status } = spawnSync(file, words, {
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      encoding: 'utf8',
    });
    assert.deepEqual([status, output[1], output[2]], [0, '0::/iaa-zswap-host-test\n', '']);
    assert.match(
      output[3] ?? '',
      /^\{"exitCode":0,"elapsedNs":"\d+","userUs":"\d+","systemUs":"\d+","maxRssKiB":\d+\}\n$/,
    );
  },

  async 'the kernel takes values and gives errnos, and both come through'(host) {
    const high = hostPath(group, 'memory.high');
    await host.write(high, '1M');
    assert.deepEqual(await host.read([high]), ['1048576\n']);
    await assert.rejects(host.write(high, 'much'), { errnoCode: 'EINVAL', syscall: 'write', hint: /bytes/ });
    await assert.rejects(host.write(hostPath(group, 'memory.none'), '1'), {
      errnoCode: 'ENOENT',
      syscall: 'openat2',
    });
    await host.write(high, 'max');

    const { exit, kill } = launch(host, group, '/bin/sleep', '1000');
    while ((await members(host)) === '') await sleep(20);
    await assert.rejects(host.rmdir(group), {
      errnoCode: 'EBUSY',
      syscall: 'unlinkat',
      hint: /cgroup\.kill/,
    });
    await assert.rejects(host.write(hostPath(group, 'cgroup.subtree_control'), '+memory'), {
      errnoCode: 'EBUSY',
      hint: /processes in the cgroup/,
    });
    kill();
    await exit;
  },

  async 'a directory that only exists in our root takes no programs'(host) {
    await assert.rejects(launch(host, hostPath('/proc'), '/bin/true').exit, { message: /cgroup2-magic/ });
  },
};

async function main(): Promise<void> {
  const host = await openHost('live', { writable: true });
  if (process.argv[2] === '--orphan') {
    await launchSpec(host, group, { argv: ['/bin/sleep', '1000'], user: process.argv[4] }).exit;
    return;
  }
  const control = hostPath('/sys/fs/cgroup/cgroup.subtree_control');
  const [before] = await host.read([control]);
  if (!before?.includes('memory')) await host.write(control, '+memory');
  await host.mkdir(group);
  try {
    for (const [name, part] of Object.entries(parts)) {
      await part(host);
      console.log(name);
    }
  } finally {
    await host.write(hostPath(group, 'cgroup.kill'), '1');
    await emptied(host);
    await host.rmdir(group);
    if (!before?.includes('memory')) await host.write(control, '-memory');
    await host.close();
    rmSync(directory, { recursive: true });
  }
  console.log('all');
}

await main();
