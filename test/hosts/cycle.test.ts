/** Each machine as a mock, and each modelled one: planned, applied, planned again, restored to the byte. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { verify } from '../../src/apply/verify.js';
import { discover } from '../../src/discover/discover.js';
import { PlanError } from '../../src/errors.js';
import { applyPlan } from '../../src/experiment/apply-plan.js';
import { cellsOf } from '../../src/experiment/cells.js';
import { parseExperiment } from '../../src/experiment/file.js';
import { restoreHost } from '../../src/experiment/restore-host.js';
import type { Host } from '../../src/host/host.js';
import { MockHost } from '../../src/host/mock.js';
import { openHost } from '../../src/host/open.js';
import { type HostPath, hostPath } from '../../src/host/path.js';
import { shippedMachines } from '../../src/model/machine.js';
import { packageRoot } from '../../src/native/load.js';
import { plan } from '../../src/plan/plan.js';
import { renderPlan } from '../../src/plan/render.js';
import { parseArchive } from '../../src/testing/index.js';
import { treeOf } from '../../src/testing/machine.js';
import { settingsOf, setUpZswap } from '../support/fault-points.js';
import { assertGolden } from '../support/golden.js';

const directory = join(packageRoot(), 'test/hosts');

/** By the name of the golden files: the letter's usemem30, the same with two WQs a device, and one without IAA. */
const experiments: Readonly<Record<string, string>> = {
  'usemem30-64k': readFileSync(join(packageRoot(), 'experiments/usemem30-64k.yaml'), 'utf8'),
  'two-wqs': `name: two-wqs
matrix: { compressor: [deflate-iaa, lzo], folio: [2048kB] }
iaa:
  wqs: [{ size: 64, name: comp }, { size: 64, name: decomp }]
  driver: { verify_compress: false, g_comp_wqs_per_iaa: 1 }
optional: [iaa.driver.g_comp_wqs_per_iaa]
cgroup: { memory.high: 256M }
workload: { usemem: { processes: 2, size: 256M } }
`,
  lzo: `name: lzo
matrix: { compressor: [lzo], folio: [64kB] }
vm: { page-cluster: 0, swappiness: 100 }
workload: { usemem: { processes: 1, size: 64M } }
`,
};

/** A machine, and all of its files that are settings. */
interface Subject {
  readonly host: Host;
  readonly settings: () => Promise<Record<string, string>>;
}

/** By the name of the golden files. */
const subjects: Readonly<Record<string, () => Promise<Subject>>> = {
  ...Object.fromEntries(
    readdirSync(directory)
      .filter((name) => name.endsWith('.host'))
      .map((file) => [
        basename(file, '.host'),
        async () => {
          const name = basename(file, '.host');
          const tree = treeOf(parseArchive(readFileSync(join(directory, file), 'utf8'), file));
          const host = new MockHost(`mock:${name}`, `/${name}`, tree);
          return { host, settings: async () => settingsOf(tree) };
        },
      ]),
  ),
  ...Object.fromEntries(
    shippedMachines().map((name) => [
      `model-${name}`,
      async () => {
        const host = await openHost(`model:${name}`, { writable: true });
        return { host, settings: () => settingsThrough(host) };
      },
    ]),
  ),
};

/** As settingsOf, of a host without a tree to look into. */
async function settingsThrough(host: Host): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  const visit = async (directory: HostPath): Promise<void> => {
    const paths = ((await host.list(directory)) ?? []).map((name) => hostPath(directory, name));
    const outcomes = await host.probe(paths);
    for (const [index, path] of paths.entries()) {
      const outcome = outcomes[index];
      const link = await host.readlink(path);
      if (/\/(?:cmd_status|kmsg)$/.test(path)) continue;
      if (link !== undefined) found[path] = link;
      else if (outcome?.ok === true) found[path] = outcome.text;
      else if ((await host.list(path)) === undefined) found[path] = 'write-only';
      else await visit(path);
    }
  };
  for (const top of ['/proc', '/sys', '/dev']) await visit(hostPath(top));
  return found;
}

for (const [experimentName, text] of Object.entries(experiments)) {
  describe(`${experimentName} on each machine`, () => {
    for (const [name, open] of Object.entries(subjects)) {
      test(name, async () => {
        const { host, settings } = await open();
        const experiment = parseExperiment(text, `${experimentName}.yaml`);
        const [cell] = cellsOf(experiment);
        assert.ok(cell);
        const planNow = async () => {
          const inventory = await discover(host);
          return { inventory, plan: plan(inventory, experiment, cell) };
        };
        const golden = (report: string) => assertGolden(`cycle/${experimentName}/${name}.txt`, report);
        let report: string;
        try {
          report = renderPlan((await planNow()).plan);
        } catch (error) {
          if (!(error instanceof PlanError)) throw error;
          golden(`No plan:\n${error.message}\n`);
          return;
        }
        const obstacle = await obstacleTo(host);
        if (obstacle !== undefined) {
          golden(`${report}\n\nNot applied: ${obstacle}\n`);
          return;
        }
        await setUpZswap(host);
        const before = await settings();
        const state = mkdtempSync(join(tmpdir(), 'iaa-zswap-cycle-'));
        try {
          const first = await planNow();
          await applyPlan(host, first.plan, { inventory: first.inventory, stateDirectory: state });
          assert.deepEqual(await verify(host, first.plan), []);
          const after = await settings();
          const second = (await planNow()).plan.steps.filter((step) => step.affects === 'machine');
          assert.deepEqual(second, [], 'a second plan has nothing left to do');
          await restoreHost(host, state);
          assert.deepEqual(await settings(), before);
          golden(`${report}\n\nOnce applied:\n${changesOf(before, after)}`);
        } finally {
          rmSync(state, { recursive: true });
        }
      });
    }
  });
}

/** What a mock of this machine cannot answer for, and why. */
async function obstacleTo(host: Host): Promise<string | undefined> {
  const [release = ''] = await host.read([hostPath('/proc/sys/kernel/osrelease')]);
  const [crypto, config, stored = '0'] = await host.tryRead([
    hostPath('/proc/crypto'),
    hostPath(`/boot/config-${release.trim()}`),
    hostPath('/sys/kernel/debug/zswap/stored_pages'),
  ]);
  if (crypto === undefined && config === undefined) {
    return 'the capture says neither in /proc/crypto nor in /boot which compressors this kernel has';
  }
  return stored.trim() === '0' ? undefined : 'pages are stored, and no file says through which compressor';
}

/** A line for each file that reads otherwise; of one with more than one line those that came and went. */
function changesOf(
  before: Readonly<Record<string, string>>,
  after: Readonly<Record<string, string>>,
): string {
  const paths = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const lines = paths
    .filter((path) => before[path] !== after[path])
    .flatMap((path) => {
      const [was, is] = [before[path], after[path]].map((each) => each?.trimEnd().split('\n'));
      if (was === undefined) return [`+ ${path}`];
      if (is === undefined) return [`- ${path}`];
      if (was.length === 1 && is.length === 1) return [`${path}: '${was[0]}' -> '${is[0]}'`];
      const same = (line: string, index: number, other: readonly string[]) =>
        was.length === is.length ? other[index] === line : other.includes(line);
      return [
        path,
        ...was.filter((line, index) => !same(line, index, is)).map((line) => `    - ${line}`),
        ...is.filter((line, index) => !same(line, index, was)).map((line) => `    + ${line}`),
      ];
    });
  return lines.map((line) => `${line}\n`).join('');
}
