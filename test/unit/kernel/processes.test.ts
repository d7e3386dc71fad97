import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseProcessStatus, readProcessMemory, readProcessNames } from '../../../src/kernel/processes.js';
import { parseErrorAt } from '../../support/malformed.js';
import { MemoryHost } from '../../support/memory-host.js';

const status = (name: string, swapKiB: number): string =>
  `Name:\t${name}\nUmask:\t0022\nPid:\t1\nVmRSS:\t    4096 kB\nVmSwap:\t  ${swapKiB} kB\nHugetlbPages:\t    2048 kB\n`;

const processes = {
  '/proc/12/status': status('small', 4),
  '/proc/12/comm': 'small\n',
  '/proc/7/status': status('large one', 8192),
  '/proc/7/comm': 'large one\n',
  '/proc/8/status': status('large two', 8192),
  '/proc/8/comm': 'large one\n',
  '/proc/9/status': 'Name:\tkthreadd\nPid:\t9\n',
  '/proc/self/status': status('self', 1),
  '/proc/meminfo': 'MemTotal: 1 kB\n',
};

test('processes by what they have in swap, kernel threads with none', async () => {
  assert.deepEqual(
    (await readProcessMemory(new MemoryHost(processes))).map(({ pid, name, swapBytes, hugetlbBytes }) => [
      pid,
      name,
      swapBytes,
      hugetlbBytes,
    ]),
    [
      [7, 'large one', 8_388_608, 2_097_152],
      [8, 'large two', 8_388_608, 2_097_152],
      [12, 'small', 4096, 2_097_152],
      [9, 'kthreadd', 0, 0],
    ],
  );
});

test('processes that end meanwhile or are malformed are left out', async () => {
  const host = new MemoryHost({ ...processes, '/proc/20/status': 'Name:\tx\nVmSwap:\tmuch\n' });
  host.failNext('read', '/proc/7/status', 'ESRCH');
  assert.deepEqual(
    (await readProcessMemory(host)).map(({ pid }) => pid),
    [8, 12, 9],
  );
});

test('names, each once', async () => {
  assert.deepEqual(await readProcessNames(new MemoryHost(processes)), new Set(['small', 'large one']));
  assert.deepEqual(await readProcessNames(new MemoryHost()), new Set());
});

describe('malformed status', () => {
  for (const text of ['', 'Pid:\t1\n', 'Name:\tx\nVmSwap:\t1 MB\n', 'Name:\tx\nHugetlbPages:\t-1 kB\n']) {
    test(JSON.stringify(text), () =>
      assert.throws(() => parseProcessStatus(text, '/x'), parseErrorAt('/x', undefined)),
    );
  }
});
