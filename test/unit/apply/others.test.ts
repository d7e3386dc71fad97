/** Somebody else works on the machine between our steps: whatever they do, two things never happen. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { discover } from '../../../src/discover/discover.js';
import { isLabError, PlanError } from '../../../src/errors.js';
import { applyPlan } from '../../../src/experiment/apply-plan.js';
import { cellsOf } from '../../../src/experiment/cells.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import { restoreHost } from '../../../src/experiment/restore-host.js';
import type { Host } from '../../../src/host/host.js';
import type { MemoryTree } from '../../../src/host/memory-tree.js';
import { MockHost } from '../../../src/host/mock.js';
import { hostPath } from '../../../src/host/path.js';
import { parseProcCrypto } from '../../../src/kernel/proc-crypto.js';
import { plan } from '../../../src/plan/plan.js';
import { buildMachine } from '../../../src/testing/index.js';
import { treeOf } from '../../../src/testing/machine.js';
import { settingsOf, setUpZswap } from '../../support/fault-points.js';

const machine = buildMachine({
  packages: 1,
  coresPerPackage: 2,
  threadsPerCore: 1,
  iaaPerPackage: 2,
  memoryKiB: 4 * 1024 * 1024,
  dsa: false,
});

/** What others do. */
type Action =
  | { readonly kind: 'write'; readonly path: string; readonly text: string }
  /** Pages come into zswap, by its compressor of that moment. */
  | { readonly kind: 'store' }
  /** All pages go. */
  | { readonly kind: 'drain' };

const drivers = '/sys/bus/dsa/drivers';
const zswap = '/sys/module/zswap/parameters';
const wqs = ['wq0.0', 'wq0.1', 'wq1.0'];
const to = (path: string, ...texts: string[]): Action[] =>
  texts.map((text) => ({ kind: 'write', path, text }) as const);

const actions: readonly Action[] = [
  { kind: 'store' },
  { kind: 'drain' },
  ...to(`${drivers}/crypto/unbind`, ...wqs),
  ...to(`${drivers}/crypto/bind`, ...wqs),
  ...to(`${drivers}/idxd/unbind`, 'iax0', 'iax1'),
  ...to(`${drivers}/idxd/bind`, 'iax0', 'iax1'),
  ...to('/sys/bus/dsa/devices/iax0/wq0.0/name', 'theirs'),
  ...to('/sys/bus/dsa/devices/iax1/wq1.3/priority', '7'),
  ...to(`${drivers}/crypto/verify_compress`, '1', '0'),
  ...to(`${zswap}/compressor`, 'lzo-rle', 'deflate-iaa'),
  ...to(`${zswap}/max_pool_percent`, '40'),
  ...to('/proc/sys/vm/page-cluster', '6'),
  ...to('/sys/kernel/mm/transparent_hugepage/enabled', 'always'),
];

/** Attributes that a restore puts back by themselves, not with a device. */
const plain = [`${zswap}/compressor`, `${zswap}/max_pool_percent`, '/proc/sys/vm/page-cluster'];

const experiments = [
  'iaa: { wqs: [{ size: 64 }] }',
  'iaa: { wqs: [{ size: 32, name: a }, { size: 64, name: b }], driver: { verify_compress: false } }',
  'iaa: { devices: [iax1], wqs: [{ size: 128 }] }',
  'iaa: {}',
  '',
].map(
  (iaa, index) => `name: x
matrix: { compressor: [${index < 4 ? 'deflate-iaa' : 'lzo'}], folio: [64kB] }
zswap: { max_pool_percent: 30 }
vm: { page-cluster: 0 }
${iaa}
workload: { usemem: { processes: 1, size: 16M } }
`,
);

/** A mock on which others act between our changes, and which watches what we do. */
class SharedMachine {
  readonly tree: MemoryTree = treeOf(machine);
  readonly others = new MockHost('mock:memory', '/memory', this.tree);
  /** Ours. */
  readonly host: Host;
  restoring = false;
  /** What must never happen: kept, since an error thrown here would only be one more that the tool restores from. */
  readonly violations: string[] = [];
  /** Written to by us since restoring began. */
  readonly written = new Set<string>();
  /** Texts that others have set and we have not written over. */
  readonly #theirs = new Map<string, string>();
  /** Texts that we set, whenever. */
  readonly #ours = new Map<string, Set<string>>();
  #pending: (Action | undefined)[] = [];

  constructor() {
    const host = new MockHost('mock:memory', '/memory', this.tree);
    const between = async <T>(change: () => Promise<T>): Promise<T> => {
      const result = await change();
      const action = this.#pending.shift();
      if (action !== undefined) await this.act(action);
      return result;
    };
    const { write, exec, mkdir, rmdir } = host;
    host.write = async (path, text, options) => {
      await this.#watch(path, text);
      return between(async () => {
        await write.call(host, path, text, options);
        this.#theirs.delete(path);
        const shown = await this.#read(path);
        this.#ours.set(path, new Set([...(this.#ours.get(path) ?? []), shown]));
      });
    };
    host.mkdir = (path) => between(() => mkdir.call(host, path));
    host.rmdir = (path) => between(() => rmdir.call(host, path));
    host.exec = async (argv) => {
      if (argv[0] === 'rmmod') await this.#expectNothingLives(argv.join(' '));
      return argv[0] === 'udevadm' ? exec.call(host, argv) : between(() => exec.call(host, argv));
    };
    this.host = host;
  }

  /** What others will do, each after one of our changes; nothing where it is undefined. */
  schedule(planned: readonly (Action | undefined)[]): void {
    this.#pending = [...planned];
  }

  /** Whatever the kernel refuses to others is theirs to bear. */
  async act(action: Action): Promise<void> {
    switch (action.kind) {
      case 'store': {
        if ((await this.#read(`${zswap}/enabled`)) !== 'Y') return;
        const path = '/sys/kernel/debug/zswap/stored_pages';
        this.tree.apply({ kind: 'file', path, text: '512\n', mode: 0o444 });
        return;
      }
      case 'drain': {
        const [area = ''] = /^\/\S+/m.exec(await this.#read('/proc/swaps')) ?? [];
        await this.others.exec(['swapoff', area]);
        await this.others.exec(['swapon', '-p', '-2', area]);
        return;
      }
      case 'write':
        await this.others.write(hostPath(action.path), `${action.text}\n`).catch(() => {});
        if (plain.includes(action.path)) this.#theirs.set(action.path, await this.#read(action.path));
    }
  }

  /** All that makes up a device: its files and whose they are. */
  device(name: string): string {
    return JSON.stringify(
      Object.entries(settingsOf(this.tree)).filter(
        ([path]) => path.includes(`/${name}/`) && !/\/(?:clients|state)$/.test(path),
      ),
    );
  }

  async #watch(path: string, text: string): Promise<void> {
    if (/\/unbind$/.test(path)) await this.#expectNothingLives(`${path} ${text}`);
    if (!this.restoring) return;
    this.written.add(/\/(?:un)?bind$/.test(path) ? text.trim().replace(/^wq(\d+)\..*/, 'iax$1') : path);
    const theirs = this.#theirs.get(path);
    if (theirs === undefined || this.#ours.get(path)?.has(theirs) === true) return;
    if ((await this.#read(path)) !== theirs) return;
    this.violations.push(`${path}: others set it to ${theirs}, and we undid that`);
  }

  /** The kernel would let us: the owners of the pages would die. */
  async #expectNothingLives(what: string): Promise<void> {
    const used = parseProcCrypto(await this.#read('/proc/crypto')).find(
      ({ driver, refcnt }) => driver === 'deflate-iaa' && refcnt > 1,
    );
    if (used !== undefined) this.violations.push(`${what}, while deflate-iaa is in use`);
  }

  async #read(path: string): Promise<string> {
    const [outcome] = await this.others.probe([hostPath(path)]);
    return outcome?.ok === true ? outcome.text.trim() : '';
  }
}

async function applyOn(shared: SharedMachine, text: string, state: string): Promise<boolean> {
  const experiment = parseExperiment(text, 'x.yaml');
  const [cell] = cellsOf(experiment);
  assert.ok(cell);
  try {
    const inventory = await discover(shared.host);
    await applyPlan(shared.host, plan(inventory, experiment, cell), { inventory, stateDirectory: state });
    return true;
  } catch (error) {
    if (!isLabError(error)) throw error;
    if (!(error instanceof PlanError)) assert.ok([1, 4, 5].includes(error.exitCode), error.message);
    return false;
  }
}

/** The problems that restore reports; none when all is as before. */
async function restoreOn(shared: SharedMachine, state: string): Promise<string> {
  shared.restoring = true;
  try {
    await restoreHost(shared.host, state);
    return '';
  } catch (error) {
    if (!isLabError(error)) throw error;
    assert.equal(error.exitCode, 5, error.message);
    return error.message;
  } finally {
    shared.restoring = false;
  }
}

async function withState(work: (state: string) => Promise<void>): Promise<void> {
  const state = mkdtempSync(join(tmpdir(), 'iaa-zswap-others-'));
  try {
    await work(state);
  } finally {
    rmSync(state, { recursive: true });
  }
}

const forty: Action = { kind: 'write', path: `${zswap}/max_pool_percent`, text: '40' };

const someAction = fc.constantFrom(...actions);
const quietly = fc.option(someAction, { nil: undefined, freq: 3 });

describe('others at work on the machine', () => {
  it('never see a WQ, device or module go while pages live in IAA, nor a value of theirs undone', async () => {
    const round = fc.record({
      experiment: fc.constantFrom(...experiments),
      during: fc.array(quietly, { maxLength: 60 }),
      after: fc.array(someAction, { maxLength: 4 }),
      duringRestore: fc.array(quietly, { maxLength: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 3 }), async (rounds) => {
        await withState(async (state) => {
          const shared = new SharedMachine();
          await setUpZswap(shared.others);
          for (const { experiment, during, after, duringRestore } of rounds) {
            shared.schedule(during);
            await applyOn(shared, experiment, state);
            shared.schedule([]);
            for (const action of after) await shared.act(action);
            shared.schedule(duringRestore);
            await restoreOn(shared, state);
          }
          assert.deepEqual(shared.violations, []);
        });
      }),
      {
        numRuns: 60,
        // Others are between a write and its read-back, and once more between its undo and that one's.
        examples: [
          [
            [
              {
                experiment: experiments[4] as string,
                during: [undefined, forty, forty],
                after: [],
                duringRestore: [],
              },
            ],
          ],
        ],
      },
    );
  });

  it('keep a device that they changed after us, which restore names', async () => {
    let kept = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...experiments.slice(0, 3)),
        fc.array(someAction, { minLength: 1, maxLength: 3 }),
        async (experiment, after) => {
          await withState(async (state) => {
            const shared = new SharedMachine();
            await setUpZswap(shared.others);
            const devices = ['iax0', 'iax1'];
            const before = devices.map((name) => shared.device(name));
            if (!(await applyOn(shared, experiment, state))) return;
            const applied = devices.map((name) => shared.device(name));
            for (const action of after) await shared.act(action);
            const theirs = devices.map((name) => shared.device(name));
            const problems = await restoreOn(shared, state);
            assert.deepEqual(shared.violations, []);
            for (const [index, name] of devices.entries()) {
              const ours = applied[index] !== before[index];
              const changed = theirs[index] !== applied[index] && theirs[index] !== before[index];
              if (!ours || !changed) continue;
              kept++;
              assert.equal(shared.device(name), theirs[index]);
              const touched = [...shared.written].filter(
                (path) => path === name || path.includes(`/${name}/`),
              );
              assert.deepEqual(touched, []);
              assert.ok(problems.includes(name), `${name} is not in: ${problems}`);
            }
          });
        },
      ),
      { numRuns: 60 },
    );
    assert.ok(kept > 0);
  });
});
