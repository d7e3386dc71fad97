/**
 * The iaa_crypto driver: attributes of its driver directory (drivers/crypto/intel/iaa/iaa_crypto_main.c) and its
 * debugfs statistics (iaa_crypto_stats.c). Which attributes exist differs by patch level, so they go by what is there.
 */
import type { Finding, IaaStatistics, IaaStatisticsAccess } from '../discover/inventory.js';
import { HostIoError, ParseError } from '../errors.js';
import { type CodecName, chomp, codecs } from '../host/codecs.js';
import type { Host, ReadOutcome } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import {
  addFinding,
  addUnparsable,
  addUnreadable,
  kernelFile,
  listDirectory,
  parseWith,
  readList,
} from './attribute.js';
import { debugfs, isDebugfsMounted } from './debugfs.js';
import type { Counters } from './flat-keyed.js';
import { dsaDriverFile, dsaDrivers } from './idxd-device.js';

/** The driver's name on the dsa bus, which driver_name of its WQs must begin with. */
export const iaaDriver = 'crypto';

/** The module of the driver and of its algorithms in /proc/crypto. */
export const iaaModule = 'iaa_crypto';

/** Whether a compressor's name is one that iaa_crypto registers: deflate-iaa, deflate-iaa-dynamic. */
export function isIaaCompressor(name: string): boolean {
  return /^deflate-iaa(?:-|$)/.test(name);
}

export const iaaDriverDirectory = hostPath(dsaDrivers, iaaDriver);

/**
 * How often a kernel log tells that iaa_crypto gave up on its hardware, and what it said last of itself. It prints
 * DISABLED too when its last WQ is unbound; nothing in sysfs tells either (iaa_crypto_main.c, check_completion()).
 */
export function iaaLog(dmesg: string): { broken: number; last: 'enabled' | 'disabled' | undefined } {
  const broken = dmesg.match(/assuming broken hw, iaa_crypto now DISABLED/g)?.length ?? 0;
  const last = dmesg.match(/iaa_crypto now (?:EN|DIS)ABLED/g)?.at(-1);
  if (last === undefined) return { broken, last };
  return { broken, last: last.endsWith('DISABLED') ? 'disabled' : 'enabled' };
}

/** Path of a driver attribute, as `sync_mode`. */
export function iaaAttribute(name: string): HostPath {
  return dsaDriverFile(iaaDriver, name);
}

/**
 * The attributes known from any version, with their codecs. Mainline has the first two; the rest come from the
 * batching patches, g_wqs_per_iaa and g_consec_descs_per_gwq from versions before v9.
 */
export const iaaDriverSettings: Readonly<Record<string, CodecName>> = {
  verify_compress: 'oneZero',
  sync_mode: 'text',
  g_comp_wqs_per_iaa: 'decimal',
  g_wqs_per_iaa: 'decimal',
  g_consec_descs_per_gwq: 'decimal',
  distribute_comps: 'oneZero',
  distribute_decomps: 'oneZero',
};

/** Reads the attributes that are there, without newline; `undefined` when the driver is not loaded. */
export async function readIaaAttributes(
  host: Host,
  findings: Finding[],
): Promise<Record<string, string> | undefined> {
  const names = await listDirectory(host, findings, iaaDriverDirectory);
  if (names === undefined) return undefined;
  const present = Object.entries(iaaDriverSettings).filter(([name]) => names.includes(name));
  const texts = await readList(
    host,
    findings,
    present.map(([name, codec]) => {
      const parse = parseWith<string | bigint | boolean>(codecs[codec]);
      return kernelFile(iaaAttribute(name), (text, path) => {
        parse(text, path);
        return chomp(text);
      });
    }),
  );
  return Object.fromEntries(
    present.flatMap(([name], index) => {
      const text = texts[index];
      return text === undefined ? [] : [[name, text]];
    }),
  );
}

/** What the statistics say of one WQ; its label is the WQ's name attribute, which need not be unique. */
export interface WqStatistics {
  readonly label: string;
  readonly counters: Counters;
}

/** What they say of one device; `id` is the number in its name. */
export interface DeviceStatistics {
  readonly id: number;
  readonly counters: Counters;
  readonly wqs: readonly WqStatistics[];
}

export interface ParsedStatistics {
  readonly global: Counters;
  /** In the driver's order: that of the first bound WQ. */
  readonly devices: readonly DeviceStatistics[];
}

/**
 * Parses global_stats and wq_stats by key: the block `global stats:` (in wq_stats itself until 6.9) and one
 * `iaa device:` for each device with its `wqs:`. Throws ParseError with the line.
 */
export function parseIaaStatistics(text: string, path: string): ParsedStatistics {
  const global = new Map<string, bigint>();
  const devices: {
    id: number;
    counters: Map<string, bigint>;
    wqs: { label: string; counters: Map<string, bigint> }[];
  }[] = [];
  /** Takes the counters of the block that the lines are in. */
  let open: Map<string, bigint> | undefined;
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    const fail = (expected: string): never => {
      throw new ParseError({ path, line: index + 1, found: line, expected });
    };
    if (line === '') continue;
    if (line === 'global stats:') {
      open = global;
      continue;
    }
    if (line === 'iaa device:') {
      open = new Map();
      devices.push({ id: -1, counters: open, wqs: [] });
      continue;
    }
    const device = devices.at(-1);
    if (line === '  wqs:' && device !== undefined) {
      open = undefined;
      continue;
    }
    const label = /^ {4}name: (.*)$/.exec(line)?.[1];
    if (label !== undefined && device !== undefined) {
      open = new Map();
      device.wqs.push({ label, counters: open });
      continue;
    }
    const match = /^ {2,4}(\w+): (\d{1,20})$/.exec(line);
    if (match?.[1] === undefined || match[2] === undefined || open === undefined) {
      return fail('a counter of the global block, of a device or of a WQ');
    }
    if (match[1] === 'id' && device?.counters === open) device.id = Number(match[2]);
    else open.set(match[1], BigInt(match[2]));
  }
  for (const { id } of devices) {
    if (id === -1) throw new ParseError({ path, found: text, expected: 'an id for every device' });
  }
  return { global, devices };
}

/** The code makes iaa_crypto, its document names iaa-crypto. */
export const statisticsDirectories = ['iaa_crypto', 'iaa-crypto'];

/** Counters that were files of their own until 6.9. */
export const counterFile = /^(?:total|max)_\w+$/;

function plain(counters: Counters): Record<string, number> {
  return Object.fromEntries([...counters].map(([name, value]) => [name, Number(value)]));
}

function without(access: IaaStatisticsAccess): IaaStatistics {
  return { access, directory: undefined, global: {}, devices: [] };
}

/** Reads the statistics, or finds out why there are none; `loaded` says whether the driver is. */
export async function readIaaStatistics(
  host: Host,
  findings: Finding[],
  loaded: boolean,
): Promise<IaaStatistics> {
  if (!loaded) return without('not-loaded');
  for (const name of statisticsDirectories) {
    const directory = hostPath(debugfs, name);
    let names: string[] | undefined;
    try {
      names = await host.list(directory);
    } catch (error) {
      if (!(error instanceof HostIoError)) throw error;
      addUnreadable(findings, error);
      return without('unreadable');
    }
    if (names !== undefined) return readFrom(host, findings, directory, names);
  }
  if ((await isDebugfsMounted(host, findings)) !== true) return without('no-debugfs');
  addFinding(findings, {
    path: hostPath(debugfs, 'iaa_crypto'),
    message: 'this iaa_crypto keeps no statistics',
    mend: 'boot a kernel built with CONFIG_CRYPTO_DEV_IAA_CRYPTO_STATS=y, or go without',
  });
  return without('not-built');
}

async function readFrom(
  host: Host,
  findings: Finding[],
  directory: HostPath,
  names: readonly string[],
): Promise<IaaStatistics> {
  const files = names
    .filter((each) => each === 'global_stats' || each === 'wq_stats' || counterFile.test(each))
    .map((each) => hostPath(directory, each));
  const outcomes = await host.probe(files);
  const refused = outcomes.find((outcome) => !outcome.ok);
  if (refused?.ok === false) return { ...without(refusal(findings, refused)), directory };

  const global = new Map<string, bigint>();
  const devices: DeviceStatistics[] = [];
  for (const [index, path] of files.entries()) {
    const outcome = outcomes[index];
    if (outcome?.ok !== true) continue;
    const file = path.slice(directory.length + 1);
    try {
      if (counterFile.test(file)) {
        global.set(file, parseWith(codecs.decimal)(outcome.text, path));
        continue;
      }
      const parsed = parseIaaStatistics(outcome.text, path);
      for (const [key, value] of parsed.global) global.set(key, value);
      devices.push(...parsed.devices);
    } catch (error) {
      if (!(error instanceof ParseError)) throw error;
      addUnparsable(findings, error);
    }
  }
  return {
    access: 'readable',
    directory,
    global: plain(global),
    devices: devices.map(({ id, counters, wqs }) => ({
      id,
      counters: plain(counters),
      wqs: wqs.map((wq) => ({ label: wq.label, counters: plain(wq.counters) })),
    })),
  };
}

function refusal(
  findings: Finding[],
  { error }: Extract<ReadOutcome, { readonly ok: false }>,
): IaaStatisticsAccess {
  // Under lockdown debugfs opens only files that nobody can write (fs/debugfs/file.c); these have mode 0644.
  if (error.errnoCode === 'EPERM') {
    addFinding(findings, {
      path: error.path,
      message: 'the statistics of iaa_crypto are closed by kernel lockdown',
      mend: 'boot without lockdown (it comes with Secure Boot), or go without',
    });
    return 'locked-down';
  }
  addUnreadable(findings, error);
  return 'unreadable';
}
