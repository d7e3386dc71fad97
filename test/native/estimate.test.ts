import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { compressors } from '../../src/codec/compressor.js';
import { RequirementError, UsageError } from '../../src/errors.js';
import { type EstimateOptions, estimate, sample } from '../../src/estimate/estimate.js';
import { openFile, openProcess, type PageSource, pageBytes, processesOf } from '../../src/estimate/source.js';
import { zsmallocBytes } from '../../src/kernel/zsmalloc.js';
import { anonymousPages, chargedLengths, pagesOf } from '../support/anonymous-pages.js';

const all: EstimateOptions = { folioPages: 1, samplePages: 1e9, seed: 1 };

let directory: string;
before(() => {
  directory = mkdtempSync(join(tmpdir(), 'estimate-'));
});
after(() => rmSync(directory, { recursive: true }));

function file(name: string, data: Uint8Array): string {
  const path = join(directory, name);
  writeFileSync(path, data);
  return path;
}

function noise(pages: number): Buffer {
  return createHash('shake256', { outputLength: pages * pageBytes })
    .update('noise')
    .digest();
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

function agrees(sources: readonly PageSource[], pages: readonly Uint8Array[]): void {
  const result = estimate(sources, all);
  assert.equal(result.sampledPages, pages.length);
  for (const { name, absent, ...values } of result.compressors) {
    if (absent !== undefined) continue;
    const lengths = chargedLengths(name, pages);
    assert.equal(values.chargedBytesPerPage, mean(lengths));
    assert.equal(values.ratio, pageBytes / mean(lengths));
    // Nothing was left to chance.
    assert.equal(values.ratioLow, values.ratio);
    assert.equal(values.ratioHigh, values.ratio);
    assert.equal(values.hostBytesPerPage, mean(lengths.map(zsmallocBytes)));
    assert.equal(
      values.incompressibleShare,
      lengths.filter((length) => length === pageBytes).length / lengths.length,
    );
  }
}

describe('estimate of files', () => {
  it('equals a direct run of the codec, whatever the length', () => {
    const text = readFileSync('package-lock.json');
    for (const length of [1, pageBytes - 1, pageBytes, pageBytes + 1, text.length]) {
      const data = text.subarray(0, length);
      const source = openFile(file('text', data), pageBytes);
      agrees([source], pagesOf(data));
      source.close();
    }
  });

  it('puts several sources together, and an empty one adds nothing', () => {
    const parts = [new Uint8Array(0), noise(3), readFileSync('package.json'), new Uint8Array(0)];
    const sources = parts.map((part, index) => openFile(file(`part${index}`, part), pageBytes));
    agrees(sources, parts.flatMap(pagesOf));
    for (const source of sources) source.close();
  });

  it('keeps noise as it is', () => {
    const source = openFile(file('noise', noise(20)), pageBytes);
    for (const each of estimate([source], all).compressors) {
      if (each.absent !== undefined) continue;
      assert.equal(each.incompressibleShare, 1, each.name);
      assert.equal(each.chargedBytesPerPage, pageBytes);
      assert.equal(each.hostBytesPerPage, pageBytes);
    }
    source.close();
  });

  it('counts a folio as zero only when all of it is', () => {
    const data = new Uint8Array(16 * pageBytes);
    data[5 * pageBytes] = 1;
    const path = file('zeros', data);
    const shares = [1, 4, 16].map((folioPages) => {
      const source = openFile(path, folioPages * pageBytes);
      const { zeroFolioShare, folios } = estimate([source], { ...all, folioPages });
      source.close();
      return [folios, zeroFolioShare];
    });
    assert.deepEqual(shares, [
      [16, 15 / 16],
      [4, 3 / 4],
      [1, 0],
    ]);
  });

  it('has the true ratio within its interval about 95 times in 100', () => {
    const text = readFileSync('package-lock.json');
    const data = Buffer.concat([text, noise(20), text.subarray(1000), Buffer.alloc(30 * pageBytes, 1)]);
    const source = openFile(file('mixed', data), pageBytes);
    const truth = estimate([source], all).compressors[0]?.ratio ?? 0;
    let within = 0;
    for (let seed = 0; seed < 100; seed++) {
      const { ratioLow = 0, ratioHigh = 0 } =
        estimate([source], { ...all, samplePages: 64, seed }).compressors[0] ?? {};
      assert.ok(ratioLow < ratioHigh);
      if (ratioLow <= truth && truth <= ratioHigh) within += 1;
    }
    source.close();
    assert.ok(within >= 85 && within <= 100, `${within} of 100`);
  });

  it('tells what a limit leads to', () => {
    const data = Buffer.concat(Array.from({ length: 4 }, () => readFileSync('package-lock.json')));
    const path = file('limited', data);
    const at = (limitBytes: number) => {
      const source = openFile(path, pageBytes);
      const result = estimate([source], { ...all, limitBytes });
      source.close();
      return { bytes: result.pages * pageBytes, limited: result.compressors[0]?.underLimit };
    };
    const half = at(data.length / 2);
    assert.ok(half.limited?.possible);
    // What stays and what is charged come to the limit.
    const used = half.bytes - half.limited.swappedBytes + half.limited.chargedBytes;
    assert.ok(Math.abs(used - data.length / 2) < 3);
    assert.equal(half.limited.savedBytes, half.limited.swappedBytes - half.limited.hostBytes);
    assert.equal(at(1e12).limited?.swappedBytes, 0);
    assert.equal(at(pageBytes).limited?.possible, false);
  });

  it('refuses what is no file', () => {
    assert.throws(() => openFile(directory, pageBytes), UsageError);
    assert.throws(() => openFile('/dev/zero', pageBytes), UsageError);
    assert.throws(() => openFile(join(directory, 'none'), pageBytes), RequirementError);
  });
});

describe('estimate of processes', () => {
  let child: ChildProcess;
  let pid: number;
  before(async () => {
    const script =
      "const keep = Buffer.alloc(1 << 20, 'some text of ours '); process.stdout.write('x'); setInterval(() => keep, 1e6)";
    child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    assert.ok(child.pid !== undefined && child.stdout !== null);
    pid = child.pid;
    await once(child.stdout, 'data');
    // Stopped, its pages stay what they are.
    child.kill('SIGSTOP');
    while (!/^State:\s+T/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  });
  after(() => child.kill('SIGKILL'));

  it('equals a direct run of the codec on the same pages', () => {
    const pages = anonymousPages(pid);
    assert.ok(pages.length > 256);
    const source = openProcess(pid, pageBytes);
    agrees([source], pages);
    source.close();
  });

  it('finds the same pages in larger folios', () => {
    const pages = anonymousPages(pid).length;
    const source = openProcess(pid, 16 * pageBytes);
    const result = estimate([source], { ...all, folioPages: 16 });
    source.close();
    assert.equal(result.sampledPages, pages);
    assert.ok(result.folios < pages && result.folios >= pages / 16);
  });

  it('says so when there is no such process', () => {
    assert.throws(() => openProcess(2 ** 22 + 1, pageBytes), /there is no process/);
  });

  it('says so when its memory must not be read', () => {
    // As another user: root may read everything.
    const user = process.geteuid?.();
    if (user === 0) process.seteuid?.(65534);
    try {
      const theirs = user === 0 ? pid : 1;
      assert.throws(
        () => openProcess(theirs, pageBytes),
        (error) =>
          error instanceof RequirementError &&
          /cannot be read: (EACCES|EPERM)/.test(error.message) &&
          /run as root or as its user/.test(error.hint ?? ''),
      );
    } finally {
      if (user === 0) process.seteuid?.(0);
    }
  });

  it('finds the processes of a cgroup and those below it, each once', () => {
    const group = join(directory, 'group');
    mkdirSync(join(group, 'a/b'), { recursive: true });
    mkdirSync(join(group, 'c'));
    for (const [below, procs] of [
      ['', '12\n'],
      ['a', ''],
      ['a/b', `${pid}\n7\n`],
      ['c', '12\n'],
    ] as const) {
      writeFileSync(join(group, below, 'cgroup.procs'), procs);
    }
    assert.deepEqual(
      processesOf(group),
      [7, 12, pid].sort((x, y) => x - y),
    );
  });

  it('refuses a directory that is no cgroup', () => {
    assert.throws(() => processesOf(directory), RequirementError);
  });

  it('goes on with what is left when a process ends meanwhile', async () => {
    const source = openProcess(pid, pageBytes);
    assert.ok(source.folios > 256);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const result = estimate([source], { ...all, samplePages: 100 });
    assert.equal(result.sampledPages, 0);
    assert.equal(result.vanishedFolios, 100);
    assert.ok(result.compressors.every(({ ratio }) => ratio === undefined));
    source.close();
  });
});

describe('sample', () => {
  it('takes different numbers below the limit, the same for a seed', () => {
    for (const [limit, count] of [
      [1, 1],
      [10, 10],
      [1000, 7],
      [5000, 4999],
    ] as const) {
      const taken = sample(limit, count, 3);
      assert.equal(new Set(taken).size, count);
      assert.ok(taken.every((number) => number >= 0 && number < limit));
      assert.deepEqual(taken, sample(limit, count, 3));
    }
    assert.notDeepEqual(sample(1000, 7, 3), sample(1000, 7, 4));
  });
});

describe('zsmallocBytes', () => {
  // Classes of Documentation/mm/zsmalloc.rst: 3264 bytes, 5 objects in 4 pages; 1536, 8 in 3; 2048, 2 in 1.
  for (const [bytes, taken] of [
    [1, 32],
    [24, 32],
    [25, 48],
    [1528, 1536],
    [2040, 2048],
    [3256, 3276.8],
    [4088, 4096],
    [4096, 4096],
  ] as const) {
    it(`of ${bytes} is ${taken}`, () => assert.equal(zsmallocBytes(bytes), taken));
  }

  it('is never less than the object', () => {
    for (let bytes = 1; bytes <= pageBytes; bytes++) assert.ok(zsmallocBytes(bytes) >= bytes);
  });
});

it('names an absent compressor in the estimate', () => {
  const source = openFile(file('one', new Uint8Array([1])), pageBytes);
  const result = estimate([source], all);
  source.close();
  assert.deepEqual(
    result.compressors.map(({ name, absent }) => ({ name, absent })),
    compressors().map(({ name, absent }) => ({ name, absent })),
  );
});
