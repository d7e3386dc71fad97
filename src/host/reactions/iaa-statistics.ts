/**
 * debugfs iaa_crypto (drivers/crypto/intel/iaa/iaa_crypto_stats.c), which only a kernel with
 * CONFIG_CRYPTO_DEV_IAA_CRYPTO_STATS has: the counters of the driver, and of each device and WQ that is bound to it.
 */
import type { Draft } from './tree.js';

const debugfs = '/sys/kernel/debug';
export const iaaStatisticsDirectory = `${debugfs}/iaa_crypto`;
const wqStats = `${iaaStatisticsDirectory}/wq_stats`;
const globalStats = `${iaaStatisticsDirectory}/global_stats`;

/** Of global_stats, in mainline's order. */
const globalCounters = [
  'total_comp_calls',
  'total_decomp_calls',
  'total_sw_decomp_calls',
  'total_comp_bytes_out',
  'total_decomp_bytes_in',
  'total_completion_einval_errors',
  'total_completion_timeout_errors',
  'total_completion_comp_buf_overflow_errors',
];

/** Of a device, and of a WQ. */
export interface WqCounts {
  readonly comp_calls: number;
  readonly comp_bytes: number;
  readonly decomp_calls: number;
  readonly decomp_bytes: number;
}

export interface CountedWq {
  /** The WQ's attribute `name`. */
  readonly label: string;
  readonly counts: WqCounts;
}

export interface CountedDevice {
  /** The number in its name. */
  readonly id: number;
  readonly wqs: readonly CountedWq[];
}

const none: WqCounts = { comp_calls: 0, comp_bytes: 0, decomp_calls: 0, decomp_bytes: 0 };
const counts = Object.keys(none) as readonly (keyof WqCounts)[];

export function globalStatsText(values: Readonly<Record<string, number>>): string {
  return ['global stats:', ...globalCounters.map((name) => `  ${name}: ${values[name] ?? 0}`), '', ''].join(
    '\n',
  );
}

/** Its counters by name. */
export function parseGlobalStats(text: string): Record<string, number> {
  return Object.fromEntries(
    [...text.matchAll(/^ {2}(\w+): (\d+)$/gm)].map(([, name = '', value]) => [name, Number(value)]),
  );
}

export function wqStatsText(devices: readonly CountedDevice[]): string {
  const lines = (indent: string, of: WqCounts): string[] =>
    counts.map((name) => `${indent}${name}: ${of[name]}`);
  return devices
    .flatMap(({ id, wqs }) => {
      const sum = wqs.reduce(
        (all, wq) => Object.fromEntries(counts.map((name) => [name, all[name] + wq.counts[name]])) as never,
        none,
      );
      return [
        'iaa device:',
        `  id: ${id}`,
        `  n_wqs: ${wqs.length}`,
        ...lines('  ', sum),
        '  wqs:',
        ...wqs.flatMap((wq) => [`    name: ${wq.label}`, ...lines('    ', wq.counts), '']),
      ];
    })
    .map((line) => `${line}\n`)
    .join('');
}

export function parseWqStats(text: string): CountedDevice[] {
  return text
    .split(/^iaa device:\n/m)
    .slice(1)
    .map((block) => ({
      id: Number(/^ {2}id: (\d+)$/m.exec(block)?.[1]),
      wqs: block
        .split(/^ {4}name: /m)
        .slice(1)
        .map((part) => ({
          label: part.slice(0, part.indexOf('\n')),
          counts: Object.fromEntries(
            counts.map((name) => [
              name,
              Number(new RegExp(`^ {4}${name}: (\\d+)$`, 'm').exec(part)?.[1] ?? 0),
            ]),
          ) as unknown as WqCounts,
        })),
    }));
}

/** Makes the directory with the driver, on a kernel that keeps statistics. */
export function makeStatistics(draft: Draft): void {
  const config = draft.text(`/boot/config-${draft.value('/proc/sys/kernel/osrelease')}`) ?? '';
  const mounted = / \/sys\/kernel\/debug \S+ .*- debugfs /m.test(draft.text('/proc/self/mountinfo') ?? '');
  if (!mounted || !draft.has(debugfs) || !/^CONFIG_CRYPTO_DEV_IAA_CRYPTO_STATS=y$/m.test(config)) return;
  draft.makeDirectory(iaaStatisticsDirectory);
  draft.write(globalStats, globalStatsText({}));
  draft.write(wqStats, '');
  draft.write(`${iaaStatisticsDirectory}/stats_reset`, '');
}

export function removeStatistics(draft: Draft): void {
  draft.remove(iaaStatisticsDirectory);
}

/** Counts a WQ from now on: the `at`-th of a device's bound ones, which goes last when it is its first. */
export function countWq(draft: Draft, id: number, at: number, label: string): void {
  changeDevice(draft, id, (wqs) => wqs.toSpliced(at, 0, { label, counts: none }));
}

/** Forgets the `at`-th WQ of a device. */
export function forgetWq(draft: Draft, id: number, at: number): void {
  changeDevice(draft, id, (wqs) => wqs.toSpliced(at, 1));
}

function changeDevice(draft: Draft, id: number, change: (wqs: readonly CountedWq[]) => CountedWq[]): void {
  if (!draft.has(wqStats)) return;
  const devices = parseWqStats(draft.text(wqStats) ?? '');
  const known = devices.findIndex((device) => device.id === id);
  const at = known === -1 ? devices.length : known;
  const wqs = change(devices[at]?.wqs ?? []);
  draft.write(wqStats, wqStatsText(devices.toSpliced(at, 1, ...(wqs.length === 0 ? [] : [{ id, wqs }]))));
}

/** `stats_reset`: whatever is written, all counters go to 0. */
export function resetStatistics(draft: Draft): undefined {
  const devices = parseWqStats(draft.text(wqStats) ?? '');
  const fresh = devices.map(({ id, wqs }) => ({
    id,
    wqs: wqs.map(({ label }) => ({ label, counts: none })),
  }));
  draft.write(wqStats, wqStatsText(fresh));
  draft.write(globalStats, globalStatsText({}));
  return undefined;
}
