import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { apply } from '../../../src/apply/apply.js';
import { Journal } from '../../../src/apply/journal.js';
import { restore } from '../../../src/apply/restore.js';
import { verify } from '../../../src/apply/verify.js';
import { discover } from '../../../src/discover/discover.js';
import { ApplyError, HostIoError, InterruptedError, VerifyError } from '../../../src/errors.js';
import { cellsOf } from '../../../src/experiment/cells.js';
import type { Experiment } from '../../../src/experiment/schema.js';
import { plan } from '../../../src/plan/plan.js';
import type { Plan } from '../../../src/plan/steps.js';
import type { MemoryHost } from '../../support/memory-host.js';
import { smallExperiment, smallMachine, textsOf } from '../../support/small-machine.js';

const zswap = '/sys/module/zswap/parameters';
const thp = '/sys/kernel/mm/transparent_hugepage';
const group = '/sys/fs/cgroup/iaa-zswap';
const header = {
  schemaVersion: 1,
  host: 'live',
  machineId: undefined,
  bootId: 'b',
  startedAt: '',
  tool: '',
} as const;

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'apply-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

async function firstPlan(host: MemoryHost, experiment: Experiment = smallExperiment()): Promise<Plan> {
  const [cell] = cellsOf(experiment);
  assert.ok(cell);
  return plan(await discover(host), experiment, cell);
}

describe('apply, verify and restore', () => {
  it('make the machine as planned, find it so, and put it back to the byte', async () => {
    const host = smallMachine();
    const before = textsOf(host);
    const steps = await firstPlan(host);
    const journal = Journal.create(directory, header);
    assert.notDeepEqual(await verify(host, steps), []);
    await apply(host, steps, journal);
    assert.equal(host.files.get(`${zswap}/compressor`), 'zstd\n');
    assert.equal(host.files.get(`${thp}/hugepages-64kB/enabled`), '[always] inherit madvise never\n');
    assert.equal(host.files.get(`${thp}/hugepages-2048kB/enabled`), 'always inherit madvise [never]\n');
    assert.equal(host.files.get(`${thp}/enabled`), 'always madvise [never]\n');
    assert.equal(host.files.get(`${group}/memory.high`), `${64 * 1024 * 1024}\n`);
    assert.deepEqual(await verify(host, steps), []);
    const restored = await restore(host, journal);
    assert.deepEqual(restored.problems, []);
    assert.deepEqual(textsOf(host), before);
    assert.deepEqual(
      restored.oneWay.map((each) => each.path),
      [`${zswap}/enabled`, `${zswap}/compressor`],
    );
    assert.match(restored.oneWay[0]?.message ?? '', /no longer swaps in large folios/);
  });

  it('enable zswap before they choose its compressor, and no folio size before the others are off', async () => {
    const host = smallMachine();
    await apply(host, await firstPlan(host), Journal.create(directory, header));
    const order = host.changes.map((change) => change.path);
    assert.ok(order.indexOf(`${zswap}/enabled`) < order.indexOf(`${zswap}/compressor`));
    assert.ok(
      order.indexOf(`${thp}/hugepages-2048kB/enabled`) < order.indexOf(`${thp}/hugepages-64kB/enabled`),
    );
    assert.ok(order.indexOf(group) < order.indexOf(`${group}/memory.high`));
  });

  it('give a second plan without a step that writes to the machine', async () => {
    const host = smallMachine();
    await apply(host, await firstPlan(host), Journal.create(directory, header));
    const second = await firstPlan(host);
    assert.deepEqual(
      second.steps.filter((step) => step.affects === 'machine'),
      [],
    );
  });

  it('come back from every step where the process can die, before the write and after it', async () => {
    const count = (await firstPlan(smallMachine())).steps.length;
    let tried = 0;
    for (let step = 0; step <= count; step++) {
      for (const when of ['before', 'after'] as const) {
        const host = smallMachine();
        const before = textsOf(host);
        const steps = await firstPlan(host);
        const journal = Journal.create(directory, header);
        await dieAt(host, steps, journal, step, when);
        journal.close();
        const found = Journal.open(directory);
        assert.ok(found);
        const restored = await restore(host, found);
        assert.deepEqual(restored.problems, [], `step ${step}, ${when}`);
        assert.deepEqual(textsOf(host), before, `step ${step}, ${when}`);
        found.remove();
        tried++;
      }
    }
    assert.equal(tried, 2 * (count + 1));
  });

  it('leave alone and report what somebody else changed meanwhile, unless told to overwrite', async () => {
    const host = smallMachine();
    const journal = Journal.create(directory, header);
    await apply(host, await firstPlan(host), journal);
    host.files.set('/proc/sys/vm/page-cluster', '5\n');
    const restored = await restore(host, journal);
    assert.equal(restored.problems.length, 1);
    assert.match(
      restored.problems[0]?.message ?? '',
      /somebody else set it to '5' since; left alone \('3' before us/,
    );
    assert.equal(host.files.get('/proc/sys/vm/page-cluster'), '5\n');
    assert.equal(host.files.get(`${zswap}/compressor`), 'lzo\n');
    const second = await restore(host, journal, { overwrite: true });
    assert.deepEqual(second.problems, []);
    assert.equal(host.files.get('/proc/sys/vm/page-cluster'), '3\n');
  });

  it('stop at a step that fails and tell which; what was done can be undone', async () => {
    const host = smallMachine();
    const before = textsOf(host);
    const steps = await firstPlan(host);
    const journal = Journal.create(directory, header);
    host.failNext('write', `${thp}/hugepages-128kB/enabled`, 'EIO');
    await assert.rejects(apply(host, steps, journal), (error) => {
      assert.ok(error instanceof ApplyError);
      assert.equal(error.stepId, 'thp.128kB');
      assert.ok(error.cause instanceof HostIoError);
      return true;
    });
    assert.deepEqual((await restore(host, journal)).problems, []);
    assert.deepEqual(textsOf(host), before);
  });

  it('take a value that the kernel silently keeps for a failure', async () => {
    const host = smallMachine();
    host.react(`${zswap}/compressor`, () => undefined);
    await assert.rejects(apply(host, await firstPlan(host), Journal.create(directory, header)), (error) => {
      assert.ok(error instanceof ApplyError && error.cause instanceof VerifyError);
      assert.match(error.message, /wrote 'zstd', reads 'lzo'/);
      return true;
    });
  });

  it('undo a value the kernel changed into another one than was written', async () => {
    const host = smallMachine();
    const before = textsOf(host);
    const journal = Journal.create(directory, header);
    let times = 0;
    host.react('/proc/sys/vm/page-cluster', (text) => (times++ === 0 ? '7\n' : text));
    await assert.rejects(apply(host, await firstPlan(host), journal), ApplyError);
    assert.deepEqual((await restore(host, journal)).problems, []);
    assert.deepEqual(textsOf(host), before);
  });

  it('wait for a write that hangs before undoing it', async () => {
    const host = smallMachine();
    const before = textsOf(host);
    const journal = Journal.create(directory, header);
    const release = host.hangNext(`${zswap}/compressor`);
    await assert.rejects(apply(host, await firstPlan(host), journal), (error) => {
      assert.ok(error instanceof ApplyError && error.cause instanceof HostIoError && error.cause.inFlight);
      return true;
    });
    const restoring = restore(host, journal);
    setTimeout(release, 20);
    assert.deepEqual((await restoring).problems, []);
    assert.deepEqual(textsOf(host), before);
  });

  it('keep what cannot be undone in the journal until it can', async () => {
    const host = smallMachine();
    const before = textsOf(host);
    const journal = Journal.create(directory, header);
    await apply(host, await firstPlan(host), journal);
    host.failNext('write', `${zswap}/compressor`, 'EIO');
    const first = await restore(host, journal);
    assert.deepEqual(
      first.problems.map((problem) => problem.path),
      [`${zswap}/compressor`],
    );
    journal.close();
    const again = Journal.open(directory);
    assert.ok(again);
    assert.deepEqual((await restore(host, again)).problems, []);
    assert.deepEqual(textsOf(host), before);
  });

  it('never remove a cgroup that was there before', async () => {
    const host = smallMachine();
    const steps = await firstPlan(host);
    host.directories.add(group);
    const journal = Journal.create(directory, header);
    await assert.rejects(apply(host, steps, journal), /is there already, and not by this run/);
    await restore(host, journal);
    assert.ok(host.directories.has(group));
  });

  it('begin no step after an abort', async () => {
    const host = smallMachine();
    const controller = new AbortController();
    const journal = Journal.create(directory, header);
    const applied = apply(host, await firstPlan(host), journal, {
      signal: controller.signal,
      onReceipt: () => controller.abort(new InterruptedError('SIGINT')),
    });
    await assert.rejects(applied, InterruptedError);
    assert.equal(journal.entries.length, 1);
  });
});

/** Applies the first `count` steps, then the write of the next one is the last thing that happens, or does not. */
async function dieAt(
  host: MemoryHost,
  steps: Plan,
  journal: Journal,
  count: number,
  when: 'before' | 'after',
): Promise<void> {
  await apply(host, { ...steps, steps: steps.steps.slice(0, count) }, journal);
  const next = steps.steps[count];
  if (next === undefined) return;
  class Death extends Error {}
  const write = host.write.bind(host);
  const mkdir = host.mkdir.bind(host);
  host.write = async (path, text) => {
    if (when === 'after') await write(path, text);
    throw new Death();
  };
  host.mkdir = async (path) => {
    if (when === 'after') await mkdir(path);
    throw new Death();
  };
  await apply(host, { ...steps, steps: [next] }, journal).catch((error) => {
    if (!(error instanceof ApplyError && error.cause instanceof Death)) throw error;
  });
  host.write = write;
  host.mkdir = mkdir;
}

describe('Journal', () => {
  it('is refused while another is pending', () => {
    Journal.create(directory, header).close();
    assert.throws(() => Journal.create(directory, header), /an earlier run has not put the machine back/);
  });
  it('reads a torn last line as if it were not there, and goes on after it', () => {
    const journal = Journal.create(directory, header);
    journal.intend({ id: 'a', affects: 'run' }, { kind: 'cgroup', path: group as never });
    journal.close();
    writeFileSync(journal.path, '{"type":"intent","sequ', { flag: 'a' });
    const found = Journal.open(directory);
    assert.equal(found?.entries.length, 1);
    found?.undone(0);
    found?.close();
    assert.equal(Journal.open(directory)?.entries[0]?.undone, true);
  });
  it('is refused when it is damaged, of another version, or not ours', () => {
    const path = Journal.pathIn(directory);
    for (const [text, message] of [
      ['{"type":"header"', undefined],
      ['not json\n', /:1: not a line of a journal/],
      ['{"type":"header","schemaVersion":9}\n', /journal version 9 is not known/],
      ['{"type":"header","schemaVersion":1}\n{"type":"done","sequence":4}\n', /:2: not a line of a journal/],
    ] as const) {
      writeFileSync(path, text, { mode: 0o600 });
      if (message === undefined) assert.deepEqual(Journal.open(directory)?.entries, []);
      else assert.throws(() => Journal.open(directory), message);
    }
    writeFileSync(path, '{"type":"header","schemaVersion":1}\n');
    chmodSync(path, 0o666);
    assert.throws(() => Journal.open(directory), /not a file that only this user can write/);
    rmSync(path);
    symlinkSync('/dev/null', path);
    assert.throws(() => Journal.open(directory), /cannot be opened: ELOOP/);
    assert.equal(Journal.open(join(directory, 'none')), undefined);
  });
});
