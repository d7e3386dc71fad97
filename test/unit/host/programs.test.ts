import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CommandError } from '../../../src/errors.js';
import { hostPath } from '../../../src/host/path.js';
import { runProgram, startTool, startWorkload } from '../../../src/host/programs.js';
import { tempDirectory } from '../../support/temp-directory.js';

test('a program is run to its end, whatever its exit code', async () => {
  assert.deepEqual(await runProgram(['printf', '%s\n', 'a b', '$HOME']), {
    exitCode: 0,
    stdout: 'a b\n$HOME\n',
    stderr: '',
  });
  assert.deepEqual(await runProgram(['/bin/sh', '-c', 'echo out; echo err >&2; exit 7']), {
    exitCode: 7,
    stdout: 'out\n',
    stderr: 'err\n',
  });
});

test('a program gets nothing of ours: no environment, no directory, no input', async () => {
  process.env['IAA_ZSWAP_LEAK'] = '1';
  const { stdout } = await runProgram(['/bin/sh', '-c', '/usr/bin/env; pwd; cat; echo end']);
  delete process.env['IAA_ZSWAP_LEAK'];
  const lines = stdout.split('\n').filter((line) => !/^(PWD|OLDPWD|SHLVL|_)=/.test(line));
  assert.deepEqual(lines.sort(), ['', '/', 'LC_ALL=C', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'end']);
});

test('a program is never found by the caller’s PATH', async (t) => {
  const directory = tempDirectory(t);
  writeFileSync(join(directory, 'iaa-zswap-planted'), '#!/bin/sh\nexit 0\n', { mode: 0o755 });
  const before = process.env['PATH'];
  process.env['PATH'] = `${directory}:${before}`;
  t.after(() => (process.env['PATH'] = before));
  await assert.rejects(runProgram(['iaa-zswap-planted']), {
    name: 'CommandError',
    message: 'iaa-zswap-planted: no such program',
    hint: 'install iaa-zswap-planted; it is looked for in /usr/sbin, /usr/bin, /sbin, /bin',
  });
  await assert.rejects(runProgram(['./iaa-zswap-planted']), /without a folder or by its absolute path/);
  assert.equal((await runProgram([join(directory, 'iaa-zswap-planted')])).exitCode, 0);
});

test('what keeps a program from ending is a CommandError', async (t) => {
  const script = join(tempDirectory(t), 'script');
  writeFileSync(script, '#!/no/such/interpreter\n', { mode: 0o755 });
  const cases: [string[], object | undefined, RegExp][] = [
    [[], undefined, /no program named/],
    [['/no/such/program'], undefined, /no such program/],
    [[script], undefined, /could not be run: ENOENT/],
    [['/bin/sh', '-c', 'kill -TERM $$'], undefined, /ended by SIGTERM/],
    [['sleep', '60'], { timeLimitMs: 100 }, /took longer than 100 ms/],
    [['yes'], undefined, /wrote more than 8388608 characters/],
  ];
  for (const [argv, options, message] of cases) {
    await assert.rejects(runProgram(argv, options), (error: unknown) => {
      assert.ok(error instanceof CommandError);
      assert.match(error.message, message);
      assert.deepEqual(error.argv, argv);
      return true;
    });
  }
});

const notACgroup = hostPath('/proc');

test('a workload starts nowhere but in a cgroup v2', async (t) => {
  const directory = tempDirectory(t);
  const [stdoutFile, stderrFile] = [join(directory, 'out'), join(directory, 'err')];
  const ran = join(directory, 'ran');
  const running = startWorkload({ argv: ['/usr/bin/touch', ran], stdoutFile, stderrFile }, notACgroup);
  await assert.rejects(running.exit, {
    code: 'ERR_WORKLOAD',
    message: '/usr/bin/touch: cannot be started in /proc: EINVAL from cgroup2-magic',
    hint: '/proc must be a directory of a cgroup v2 mount',
  });
  assert.equal(existsSync(ran), false);
  assert.equal(statSync(stdoutFile).mode & 0o777, 0o600);
  assert.equal(readFileSync(stderrFile, 'utf8'), '');
  running.kill();
});

test('a cgroup that is not there is said so', async (t) => {
  const directory = tempDirectory(t);
  const workload = {
    argv: ['/bin/true'],
    stdoutFile: join(directory, 'o'),
    stderrFile: join(directory, 'e'),
  };
  await assert.rejects(startWorkload(workload, hostPath('/sys/fs/cgroup/none/at/all')).exit, {
    message: '/bin/true: cannot be started in /sys/fs/cgroup/none/at/all: ENOENT from open(cgroup)',
  });
});

test('output goes to new files only, through no link', async (t) => {
  const directory = tempDirectory(t);
  const free = join(directory, 'free');
  const taken = join(directory, 'taken');
  const link = join(directory, 'link');
  writeFileSync(taken, 'precious');
  symlinkSync(join(directory, 'elsewhere'), link);
  for (const file of [taken, link, join(directory, 'none/file')]) {
    const running = startWorkload({ argv: ['/bin/true'], stdoutFile: file, stderrFile: free }, notACgroup);
    await assert.rejects(running.exit, { code: 'ERR_WORKLOAD', message: /^cannot create the output file / });
    running.kill();
  }
  assert.equal(readFileSync(taken, 'utf8'), 'precious');
  assert.equal(existsSync(join(directory, 'elsewhere')), false);
  assert.equal(existsSync(free), false);
});

test('a workload is named by its absolute path', async (t) => {
  const directory = tempDirectory(t);
  for (const argv of [['true'], ['./true'], []]) {
    const name = argv.length === 0 ? 'none' : argv.join().replace('/', '');
    const stdoutFile = join(directory, `${name}-out`);
    const stderrFile = join(directory, `${name}-err`);
    await assert.rejects(startWorkload({ argv, stdoutFile, stderrFile }, notACgroup).exit, {
      code: 'ERR_WORKLOAD',
      message: /absolute path/,
    });
  }
});

test('a tool runs until it is stopped, and what it says is in its file', async (t) => {
  const file = join(tempDirectory(t), 'said');
  const tool = await startTool(
    ['/bin/sh', '-c', 'trap "echo end >&2; exit 3" INT; echo begin; while :; do sleep 0.05; done'],
    file,
  );
  while (readFileSync(file, 'utf8') === '') await sleep(10);
  assert.equal(await tool.stop(), 3);
  assert.equal(readFileSync(file, 'utf8'), 'begin\nend\n');
  // It has ended by then: to stop it again only asks how.
  assert.equal(await tool.stop(), 3);
});

test('a tool that ends by itself, or of the signal, tells how', async (t) => {
  const directory = tempDirectory(t);
  const short = await startTool(['true'], join(directory, 'a'));
  const long = await startTool(['sleep', '1000'], join(directory, 'b'));
  assert.equal(await long.stop(), 'SIGINT');
  assert.equal(await short.stop(), 0);
});

test('a tool that is not there, or whose file is, is not run', async (t) => {
  const directory = tempDirectory(t);
  const taken = join(directory, 'taken');
  writeFileSync(taken, 'precious');
  await assert.rejects(startTool(['no-such-tool'], join(directory, 'x')), CommandError);
  await assert.rejects(startTool(['true'], taken), { code: 'ERR_WORKLOAD' });
  assert.equal(readFileSync(taken, 'utf8'), 'precious');
  assert.equal(existsSync(join(directory, 'x')), false);
});
