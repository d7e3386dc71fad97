import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { HostIoError } from '../../src/errors.js';
import type { Host } from '../../src/host/host.js';
import { openHost } from '../../src/host/open.js';
import { type HostPath, hostPath } from '../../src/host/path.js';
import {
  buildMachine,
  type MachineChange,
  type MachineKernel,
  type MachineOptions,
  mockHost,
  type TreeEntry,
  writeTree,
} from '../../src/testing/index.js';

/** One IAA device, iax0, on two cores: as small as a machine with all interfaces gets. */
export const smallest: MachineOptions = {
  packages: 1,
  coresPerPackage: 2,
  threadsPerCore: 1,
  iaaPerPackage: 1,
  dsa: false,
  memoryKiB: 2 * 1024 * 1024,
};

/** The two kinds of mock: everything that holds for one holds for the other. */
export const mockKinds: readonly {
  readonly name: string;
  with(entries: readonly TreeEntry[], work: (host: Host) => Promise<void>): Promise<void>;
}[] = [
  {
    name: 'in memory',
    with: (entries, work) => work(mockHost(entries)),
  },
  {
    name: 'mock:DIR',
    async with(entries, work) {
      // A machine is hundreds of small files, and there is one a rule: in memory where the system has room for it.
      const folder = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
      const directory = mkdtempSync(join(folder, 'iaa-zswap-mock-'));
      try {
        writeTree(entries, directory);
        const host = await openHost(`mock:${directory}`, { writable: true });
        await work(host);
        await host.close();
      } finally {
        rmSync(directory, { recursive: true });
      }
    },
  },
];

/** One rule of the kernel: after `given`, a write's errno (none: it succeeds) and what files read as then. */
export interface WriteRule {
  readonly rule: string;
  readonly machine?: MachineOptions;
  readonly kernel?: MachineKernel;
  readonly given?: readonly MachineChange[];
  readonly write: string;
  readonly text: string;
  readonly errno?: string;
  /** Text by path; undefined where nothing must be. */
  readonly reads?: Readonly<Record<string, string | undefined>>;
}

/** Tests each rule on both kinds of mock. */
export function testWriteRules(name: string, rules: readonly WriteRule[]): void {
  for (const kind of mockKinds) {
    describe(`${name}, ${kind.name}`, () => {
      for (const each of rules) {
        test(each.rule, async () => {
          const kernel = each.kernel === undefined ? {} : { kernel: each.kernel };
          const machine = { ...smallest, ...kernel, ...each.machine, changes: each.given ?? [] };
          await kind.with(buildMachine(machine), async (host) => {
            const errno = await errnoOf(host.write(hostPath(each.write), each.text));
            assert.equal(errno, each.errno);
            await assertReads(host, each.reads ?? {});
          });
        });
      }
    });
  }
}

/** Asserts the texts of files; undefined where nothing must be. */
export async function assertReads(
  host: Host,
  expected: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const texts = await host.tryRead(Object.keys(expected) as HostPath[]);
  const found = Object.fromEntries(Object.keys(expected).map((path, index) => [path, texts[index]]));
  assert.deepEqual(found, expected);
}

/** Name of the errno that a change failed with; undefined when it succeeded. */
export async function errnoOf(change: Promise<unknown>): Promise<string | undefined> {
  try {
    await change;
    return undefined;
  } catch (error) {
    if (!(error instanceof HostIoError)) throw error;
    return error.errnoCode;
  }
}
