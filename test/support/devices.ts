import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../src/native/load.js';
import { type Guest, type ProgramResult, shareMount } from '../../src/vm/index.js';
import { output } from './guest.js';

const program = join(packageRoot(), 'dist/cli.js');

/** What one WQ of a software device has done: native/iax/device.h, WqStatistics. */
export type WqCount =
  | 'submitted'
  | 'dropped'
  | 'aborted'
  | 'compress_pages'
  | 'compress'
  | 'incompressible'
  | 'decompress'
  | 'verify'
  | 'errors';

/** Statistics of one software device. */
export interface DeviceStatistics {
  readonly state: 'disabled' | 'enabled' | 'draining' | 'halted';
  readonly interrupts: number;
  readonly messages: number;
  readonly portal_writes: number;
  readonly wqs: readonly (Readonly<Record<WqCount, number>> & { readonly state: string })[];
  readonly engines: readonly { readonly descriptors: number; readonly busy_ns: number }[];
}

/** The statistics of all of a guest's devices. */
export async function statisticsOf(guest: Guest): Promise<DeviceStatistics[]> {
  return JSON.parse(await guest.askDevices('stats')) as DeviceStatistics[];
}

/** A count over all WQs of all devices. */
export function total(devices: readonly DeviceStatistics[], name: WqCount): number {
  return devices.flatMap(({ wqs }) => wqs).reduce((sum, wq) => sum + wq[name], 0);
}

/** How much a count has grown. */
export function grown(
  before: readonly DeviceStatistics[],
  after: readonly DeviceStatistics[],
  name: WqCount,
): number {
  return total(after, name) - total(before, name);
}

export interface Setting {
  readonly verify: boolean;
  readonly mode: 'sync' | 'async' | 'async_irq';
  /** Entries of each WQ. Default one with 128. */
  readonly sizes?: readonly number[];
  /** Default 64kB. */
  readonly folio?: string;
}

/** Calls this program in the guest with a state directory of its own, which outlives the call. */
export function call(guest: Guest, ...words: readonly string[]): Promise<ProgramResult> {
  return guest.run([program, ...words, '--state', '/run/devices']);
}

/** Writes an experiment of one cell with deflate-iaa where the guest sees it; gives its path there. */
export async function writeSetting(guest: Guest, setting: Setting): Promise<string> {
  const sizes = setting.sizes ?? [128];
  const text = [
    'name: setting',
    `matrix: { compressor: [deflate-iaa], folio: [${setting.folio ?? '64kB'}] }`,
    'zswap: { max_pool_percent: 50, shrinker_enabled: false }',
    'iaa:',
    '  wqs:',
    ...sizes.map((size) => `    - size: ${size}`),
    `  driver: { verify_compress: ${setting.verify}, sync_mode: ${setting.mode} }`,
    'cgroup: { memory.high: 4M, memory.swap.max: max }',
    'workload: { usemem: { processes: 2, size: 32M, bind: 1, sleep_s: 1 } }',
    // Pages that are not compressed free nothing: the kernel then throttles what is above memory.high for minutes.
    'limits: { time_s: 120 }',
    '',
  ];
  await writeFile(join(guest.share, 'setting.yaml'), text.join('\n'));
  return `${shareMount}/setting.yaml`;
}

/** The program that pages out and in and checks (test/vm/programs/store_pages.cc), where the guest sees it. */
export function storePagesProgram(guest: Guest): string {
  const built = join(guest.share, 'store_pages');
  if (!existsSync(built)) {
    const source = join(packageRoot(), 'test/vm/programs/store_pages.cc');
    execFileSync('c++', ['-std=c++20', '-O2', source, '-o', built]);
  }
  return `${shareMount}/store_pages`;
}

export interface StoredPages {
  readonly zswpout: number;
  readonly zswpin: number;
  readonly wrong_words: number;
  readonly failed_processes: number;
  readonly out_seconds: number;
  readonly in_seconds: number;
}

/** Each of some processes pages out so many pages and reads them again, so many times. */
export async function storePages(
  guest: Guest,
  processes: number,
  pages: number,
  rounds: number,
): Promise<StoredPages> {
  const words = [processes, pages, rounds].map(String);
  const { stdout } = await guest.run([storePagesProgram(guest), ...words]);
  return JSON.parse(stdout.toString()) as StoredPages;
}

/** A counter of the guest's debugfs for zswap. */
export async function zswapCounter(guest: Guest, name: string): Promise<number> {
  return Number(await output(guest, 'cat', `/sys/kernel/debug/zswap/${name}`));
}
