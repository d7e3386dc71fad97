/** The built usemem, as the runner starts it: its lines, its memory, and how it ends. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync, readSync, statSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { deflateRawSync } from 'node:zlib';
import { helperPath } from '../../src/native/load.js';
import { parseUsemem } from '../../src/run/usemem-output.js';
import { tempDirectory } from '../support/temp-directory.js';

const mebibyte = 1024 * 1024;
const pageBytes = 4096;

function usemem(...args: string[]): { code: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(helperPath('usemem'), args, {
    encoding: 'utf8',
    timeout: 60_000,
  });
  return { code: status, stdout, stderr };
}

interface Sleeping {
  readonly process: ChildProcess;
  /** Process ids in the order of the forks: process 0, process 1, ... */
  readonly pids: readonly number[];
  /** What has been printed so far. */
  stdout(): string;
  /** Resolves with all that was printed, once it is over. */
  readonly ended: Promise<{ code: number | null; signal: string | null; stdout: string; stderr: string }>;
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(/\s+/).map(Number);
}

/** Starts a program that becomes usemem and waits until each of its processes has done its work and sleeps (-s). */
async function sleeping(
  t: TestContext,
  processes: number,
  args: readonly string[],
  prefix: readonly string[] = [],
): Promise<Sleeping> {
  const [program = '', ...rest] = [...prefix, helperPath('usemem'), '-O', '-n', String(processes), ...args];
  const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'] });
  t.after(() => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }));
  while (parseUsemem(stdout.slice(0, stdout.lastIndexOf('\n') + 1)).processes.length < processes) {
    const over = await Promise.race([once(child.stdout, 'data').then(() => false), ended.then(() => true)]);
    assert.equal(over, false, `it ended before its work was done: ${stderr}`);
  }
  assert.ok(child.pid !== undefined);
  return { process: child, pids: childrenOf(child.pid), stdout: () => stdout, ended };
}

/** The memory that a sleeping usemem process has written: the lowest anonymous mapping that is large enough. */
function memoryOf(pid: number, bytes: number): Buffer {
  for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
    const mapping = /^([0-9a-f]+)-([0-9a-f]+) rw-p 00000000 00:00 0 *$/.exec(line);
    const [start, end] = mapping === null ? [0, 0] : mapping.slice(1).map((hex) => Number.parseInt(hex, 16));
    if (start === undefined || end === undefined || end - start < bytes) continue;
    const memory = Buffer.alloc(bytes);
    const fd = openSync(`/proc/${pid}/mem`, 'r');
    for (let done = 0; done < bytes; ) done += readSync(fd, memory, done, bytes - done, start + done);
    closeSync(fd);
    return memory;
  }
  throw new Error(`process ${pid} has no mapping of ${bytes} bytes`);
}

function pagesOf(memory: Buffer): Buffer[] {
  return Array.from({ length: memory.length / pageBytes }, (_, page) =>
    memory.subarray(page * pageBytes, (page + 1) * pageBytes),
  );
}

/** The memory of one process that ran with these arguments on 1 MiB. */
async function written(t: TestContext, ...args: string[]): Promise<Buffer> {
  const run = await sleeping(t, 1, [...args, '-s', '60', '1m']);
  const memory = memoryOf(run.pids[0] ?? 0, mebibyte);
  run.process.kill('SIGKILL');
  await run.ended;
  return memory;
}

function counter(words: number): Buffer {
  return Buffer.from(BigUint64Array.from({ length: words }, (_, index) => BigInt(index)).buffer);
}

describe('the lines', () => {
  test("are those of the letter's command", () => {
    const { code, stdout, stderr } = usemem('--init-time', '-w', '-O', '-s', '0', '-n', '3', '1m');
    assert.deepEqual([code, stderr], [0, '']);
    const output = parseUsemem(stdout);
    assert.match(stdout, /^the initialization time is \d+ secs \d+ usecs\n/);
    assert.deepEqual(
      output.processes.map(({ bytes }) => bytes),
      [1179648n, 1179648n, 1179648n],
    );
    assert.equal(output.freeUsecs.length, 3);
  });

  test('come from each thread, and without --init-time there are no others', () => {
    const { code, stdout } = usemem('-O', '-n', '2', '-t', '2', '-u', '300k', '-j', '64', '1m');
    assert.equal(code, 0);
    const output = parseUsemem(stdout);
    assert.equal(output.initUsecs, undefined);
    // 1 MiB / 8 for the allocation and a word for every 64 bytes.
    assert.deepEqual(
      output.processes.map(({ bytes }) => bytes),
      Array(4).fill(262144n),
    );
    assert.equal(output.freeUsecs.length, 4);
  });

  test('of a second look at the memory are no throughput', () => {
    const { code, stdout } = usemem('-O', '-n', '2', '-r', '3', '-Z', '1m');
    assert.equal(code, 0);
    const output = parseUsemem(stdout);
    // An eighth for the allocation, and three passes; then three that read.
    assert.deepEqual(
      output.processes.map(({ bytes }) => bytes),
      [3276800n, 3276800n],
    );
    assert.deepEqual(
      output.readAgain.map(({ bytes }) => bytes),
      [3145728n, 3145728n],
    );
    assert.equal(stdout.match(/\n/g)?.length, 6);
  });

  test('of the work come before the sleep, those of the freeing after it', () => {
    const before = process.hrtime.bigint();
    const { stdout } = usemem('-O', '-s', '1', '1m');
    assert.ok(process.hrtime.bigint() - before >= 1_000_000_000n);
    assert.match(stdout, /^\d+ bytes .* KB\/s\n\d+ usecs to free memory\n$/);
    assert.ok((parseUsemem(stdout).processes[0]?.usecs ?? 0n) < 1_000_000n);
  });
});

describe('the memory', () => {
  test('holds ascending 64-bit words in every process', async (t) => {
    const run = await sleeping(t, 2, ['-s', '60', '1m']);
    for (const pid of run.pids) assert.ok(memoryOf(pid, mebibyte).equals(counter(mebibyte / 8)));
    run.process.kill('SIGKILL');
  });

  test('holds words only where a step ends', async (t) => {
    const expected = counter(mebibyte / 8);
    for (let offset = 0; offset < mebibyte; offset += 8) {
      if (offset % 4096 !== 0) expected.fill(0, offset, offset + 8);
    }
    assert.ok((await written(t, '-j', '4k')).equals(expected));
  });

  test('is the same for a seed, and another for each process', async (t) => {
    const run = await sleeping(t, 2, ['--content', 'random', '--seed', '7', '-s', '60', '1m']);
    const [first, second] = run.pids.map((pid) => memoryOf(pid, mebibyte));
    run.process.kill('SIGKILL');
    assert.ok(first !== undefined && second !== undefined && !first.equals(second));
    assert.ok(first.equals(await written(t, '--content', 'random', '--seed', '7')));
    assert.ok(!first.equals(await written(t, '--content', 'random', '--seed', '8')));
    assert.ok(pagesOf(first).every((page) => deflateRawSync(page).length > pageBytes));
  });

  for (const ratio of [1.2, 1.5, 2, 2.5, 3, 4, 5, 8, 12, 16]) {
    test(`compresses ${ratio}:1, within 5%, with deflate and zstd`, async (t) => {
      const pages = pagesOf(await written(t, '--content', `ratio:${ratio}`)).slice(0, 64);
      const directory = tempDirectory(t);
      const files = pages.map((page, index) => {
        const file = join(directory, String(index));
        writeFileSync(file, page);
        return file;
      });
      const zstd = spawnSync('zstd', ['-q', '-3', '--no-check', ...files], { encoding: 'utf8' });
      assert.equal(zstd.status, 0, `zstd is needed (apt-get install zstd): ${zstd.error ?? zstd.stderr}`);
      const mean = (sizes: number[]) => sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
      const deflated = pageBytes / mean(pages.map((page) => deflateRawSync(page, { level: 6 }).length));
      const zstandard = pageBytes / mean(files.map((file) => statSync(`${file}.zst`).size));
      for (const [compressor, measured] of Object.entries({ deflated, zstandard })) {
        assert.ok(Math.abs(measured / ratio - 1) < 0.05, `${compressor}: ${measured}`);
      }
    });
  }

  test('holds the pages of a corpus, again and again', async (t) => {
    const corpus = join(tempDirectory(t), 'corpus');
    const text = Buffer.from(Array.from({ length: 3 * pageBytes + 7 }, (_, index) => index % 251));
    writeFileSync(corpus, text);
    const pages = pagesOf(await written(t, '--content', `file:${corpus}`));
    for (const [index, page] of pages.entries()) {
      assert.ok(
        page.equals(text.subarray((index % 3) * pageBytes, ((index % 3) + 1) * pageBytes)),
        `page ${index}`,
      );
    }
  });

  test('holds, in random order, its own index or nothing in each word', async (t) => {
    const memory = await written(t, '-R');
    const words = new BigUint64Array(memory.buffer, memory.byteOffset, mebibyte / 8);
    const met = words.filter((word, index) => index > 0 && word === BigInt(index)).length;
    assert.equal(words.filter((word) => word !== 0n).length, met);
    // Of n draws from n, n (1 - 1/e) are met.
    assert.ok(Math.abs(met / words.length - 0.632) < 0.01, `${met}`);
    assert.ok(memory.equals(await written(t, '-R', '--seed', '0')));
    assert.ok(!memory.equals(await written(t, '-R', '--seed', '1')));
  });

  test('is not there when it is only read', async (t) => {
    const residentKiB = async (...args: string[]) => {
      const run = await sleeping(t, 1, [...args, '-s', '60', '32m']);
      const status = readFileSync(`/proc/${run.pids[0]}/status`, 'utf8');
      run.process.kill('SIGKILL');
      await run.ended;
      return Number(/^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1]);
    };
    assert.ok((await residentKiB('-o')) < 4096);
    assert.ok((await residentKiB('-o', '-w')) < 4096);
    assert.ok((await residentKiB()) >= 32768);
  });

  test('holds zeros', async (t) => {
    assert.ok((await written(t, '--content', 'zero')).equals(Buffer.alloc(mebibyte)));
  });
});

describe('-b', () => {
  test('binds process i to CPU i of those online, whatever CPUs it was started on', async (t) => {
    const online = cpus().length;
    const expected = [0, 1, 2].map((task) => task % online);
    // taskset is no fence: a process may widen its own mask again. The cpuset is, and there the bind is an error.
    const outside = expected.find((cpu) => spawnSync('taskset', ['-c', String(cpu), 'true']).status !== 0);
    if (outside !== undefined) {
      const refused = usemem('-O', '-b', '1', '-n', '3', '1m');
      assert.deepEqual([refused.code, refused.stdout], [1, '']);
      assert.match(refused.stderr, /^usemem: process \d cannot be bound to CPU \d: EINVAL .*\n$/);
      return;
    }
    const run = await sleeping(t, 3, ['-b', '1', '-s', '60', '1m'], ['taskset', '-c', '0']);
    const bound = run.pids.map((pid) =>
      /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.at(1),
    );
    run.process.kill('SIGKILL');
    assert.deepEqual(bound, expected.map(String));
  });

  test('refuses an interval that is no smaller than the number of CPUs', () => {
    const { code, stdout, stderr } = usemem('-O', '-b', '100000', '1m');
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(stderr, /^usemem: -b 100000 is no interval for \d+ online CPUs; use a smaller one\n$/);
  });
});

describe('-x', () => {
  const freed = (stdout: string) => stdout.match(/usecs to free memory/g)?.length ?? 0;

  /** Two processes that have done their work and sleep a second; the second is stopped meanwhile. */
  async function withOneStopped(t: TestContext, ...args: string[]) {
    const run = await sleeping(t, 2, [...args, '-s', '1', '1m']);
    const held = run.pids[1] ?? 0;
    process.kill(held, 'SIGSTOP');
    await sleep(1500);
    return { run, held };
  }

  test('has nobody free before all are through', async (t) => {
    const { run, held } = await withOneStopped(t, '-x');
    assert.equal(freed(run.stdout()), 0);
    process.kill(held, 'SIGCONT');
    const { code, stdout } = await run.ended;
    assert.deepEqual([code, freed(stdout)], [0, 2]);
  });

  test('waits for nobody who has ended', async (t) => {
    const { run, held } = await withOneStopped(t, '-x');
    process.kill(held, 'SIGKILL');
    const { code, stdout } = await run.ended;
    assert.deepEqual([code, freed(stdout)], [1, 1]);
  });

  test('is what makes them wait', async (t) => {
    const { run, held } = await withOneStopped(t);
    assert.equal(freed(run.stdout()), 1);
    process.kill(held, 'SIGCONT');
    assert.equal((await run.ended).code, 0);
  });
});

describe('-e', () => {
  test('takes its time for every page', () => {
    const usecs = (...args: string[]) => parseUsemem(usemem('-O', ...args).stdout).processes[0]?.usecs ?? 0n;
    // 256 pages.
    assert.ok(usecs('-e', '1m', '1m') >= 256_000n);
    assert.ok(usecs('-e', '500u', '-R', '-j', '4k', '1m') >= 120_000n);
  });
});

describe('the end', () => {
  test('of a process by SIGKILL is reported, and the others finish', async (t) => {
    const run = await sleeping(t, 3, ['-s', '3', '1m']);
    const victim = run.pids[1] ?? 0;
    process.kill(victim, 'SIGKILL');
    const { code, stdout, stderr } = await run.ended;
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^usemem: process 1 \\(pid ${victim}\\) ended by SIGKILL; .*OOM.*\\n$`));
    assert.equal(parseUsemem(stdout).freeUsecs.length, 2);
  });

  test('of the parent is the end of every process', async (t) => {
    const run = await sleeping(t, 2, ['-s', '60', '1m']);
    run.process.kill('SIGKILL');
    assert.equal((await run.ended).signal, 'SIGKILL');
    const alive = () => run.pids.filter((pid) => !hasEnded(pid));
    for (let tries = 0; alive().length > 0 && tries < 100; tries += 1) await sleep(50);
    assert.deepEqual(alive(), []);
  });

  test('is an error when the memory is not there', () => {
    const { code, stdout, stderr } = usemem('-O', '-n', '2', '65536t');
    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(
      stderr.match(/^usemem: process [01]: mmap of 72057594037927936 bytes: ENOMEM; .+$/gm)?.length,
      2,
    );
  });

  test('is an error when the corpus is not there', () => {
    const { code, stdout, stderr } = usemem('-O', '--content', 'file:/nowhere/corpus', '1m');
    assert.deepEqual([code, stdout], [1, '']);
    assert.equal(
      stderr,
      'usemem: the corpus /nowhere/corpus cannot be opened: ENOENT; name a readable file\n',
    );
  });
});

/** True also for one that only waits to be reaped. */
function hasEnded(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return true;
  }
}

describe('the command line', () => {
  const wrong: readonly (readonly string[])[] = [
    [],
    ['1m'],
    ['-O'],
    ['-O', '0'],
    ['-O', '1x'],
    ['-O', '1m', '1m'],
    ['-O', '-n', '0', '1m'],
    ['-O', '-M', '1m'],
    ['-O', '-e', '1s', '1m'],
    ['-O', '-y', '-u', '64k', '1m'],
    ['-O', '-o', '--content', 'zero', '1m'],
    ['-O', '--numa-cpu', '0', '1m'],
    ['-O', '-s'],
    ['-O', '-j', '3', '1m'],
    ['-O', '--content', 'ratio:99', '1m'],
    ['-O', '--seed', '1', '1m'],
  ];
  for (const args of wrong) {
    test(`is refused in one line: ${args.join(' ')}`, () => {
      const { code, stdout, stderr } = usemem(...args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^usemem: .+; see usemem --help\n$/);
    });
  }

  test('has a help that names every option', () => {
    const { code, stdout, stderr } = usemem('--help');
    assert.deepEqual([code, stderr], [0, '']);
    for (const option of [
      ...['-n, --nproc', '-t, --thread', '-b, --bind', '-O, --anonymous', '-w, --open-rw', '-s, --sleep'],
      ...['-o, --readonly', '-R, --random', '-r, --repeat', '-Z, --read-again', '-y, --sync-rw'],
      ...[
        '-x, --sync-free',
        '-e, --delay',
        '-q, --quiet',
        '-u, --unit',
        '-j, --step',
        '--init-time',
        '--content',
        '--seed',
        '-h, --help',
      ],
    ]) {
      assert.ok(stdout.includes(option), option);
    }
    assert.match(stdout, /--quiet +no effect/);
    assert.ok(stdout.split('\n').every((line) => line.length <= 100));
  });
});
