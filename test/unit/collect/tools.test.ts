import assert from 'node:assert/strict';
import { test } from 'node:test';
import { perfCommand, RunningTools, turbostatCommand } from '../../../src/collect/tools.js';
import { CommandError } from '../../../src/errors.js';
import { MemoryHost } from '../../support/memory-host.js';

test('tools are started and stopped; one that is not installed is told', async () => {
  const host = new MemoryHost();
  const started: string[] = [];
  const stopped: string[] = [];
  host.onStart = ([name = ''], outputFile) => {
    if (name === 'turbostat') throw new CommandError([name], 'no such program');
    started.push(`${name} ${outputFile}`);
    return {
      stop: async () => {
        stopped.push(name);
        return 0;
      },
    };
  };
  const tools = await RunningTools.start(host, [
    { name: 'perf', argv: perfCommand([]), outputFile: '/cell/perf.csv' },
    { name: 'turbostat', argv: turbostatCommand(), outputFile: '/cell/turbostat.txt' },
  ]);
  assert.deepEqual([started, stopped], [['perf /cell/perf.csv'], []]);
  assert.deepEqual(await tools.stop(), {
    perf: { ended: 0 },
    turbostat: { absent: 'turbostat: no such program' },
  });
  assert.deepEqual(stopped, ['perf']);
});

test('perf counts on all CPUs, second by second, what it is told to', () => {
  assert.deepEqual(
    perfCommand(['cycles', 'dTLB-load-misses']).join(' '),
    ['perf stat -a -x , -I 1000 -e cycles -e dTLB-load-misses'].join(''),
  );
});

test('a mistake of ours comes through', async () => {
  const host = new MemoryHost();
  host.onStart = () => {
    throw new TypeError('a mistake');
  };
  await assert.rejects(RunningTools.start(host, [{ name: 'x', argv: ['x'], outputFile: '/x' }]), /a mistake/);
});
