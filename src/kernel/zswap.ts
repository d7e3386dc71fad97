/**
 * zswap: its module parameters and its debugfs counters (mm/zswap.c; form of bools and numbers: kernel/params.c).
 * Which of them exist differs by version (zpool went in 6.18, shrinker_enabled came in 6.8), so both are read
 * by what is there.
 */
import type { Finding, ZswapState } from '../discover/inventory.js';
import { HostIoError, ParseError } from '../errors.js';
import { type CodecName, chomp, codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import {
  addFinding,
  addUnreadable,
  kernelFile,
  listDirectory,
  parseWith,
  readFiles,
  readList,
} from './attribute.js';
import type { Counters } from './flat-keyed.js';
import { mountinfoPath, parseMountinfo } from './mountinfo.js';

export const zswapParameters = hostPath('/sys/module/zswap/parameters');
/** Where distributions mount debugfs. */
export const debugfs = hostPath('/sys/kernel/debug');
export const zswapDebugfs = hostPath(debugfs, 'zswap');

/** Path of a parameter, as `compressor`. */
export function zswapParameter(name: string): HostPath {
  return hostPath(zswapParameters, name);
}

/** The form of every parameter known from any kernel; others are read as text. */
const parameterCodecs: Readonly<Record<string, CodecName>> = {
  enabled: 'yesNo',
  compressor: 'text',
  zpool: 'text',
  max_pool_percent: 'decimal',
  accept_threshold_percent: 'decimal',
  shrinker_enabled: 'yesNo',
  same_filled_pages_enabled: 'yesNo',
  non_same_filled_pages_enabled: 'yesNo',
  exclusive_loads: 'yesNo',
};

/** The codec of a parameter's file. */
export function zswapParameterCodec(name: string): CodecName {
  return Object.hasOwn(parameterCodecs, name) ? (parameterCodecs[name] ?? 'text') : 'text';
}

/** One decimal and a newline: a file of /sys/kernel/debug/zswap (fs/debugfs/file.c). */
export function parseZswapCounter(text: string, path: string): bigint {
  if (!/^\d{1,20}\n?$/.test(text)) throw new ParseError({ path, found: text, expected: 'a decimal number' });
  return BigInt(text.trimEnd());
}

/** Whether the debugfs directory of zswap is there, and its counters. */
export interface ZswapDebugfs {
  /** zswap makes the directory when it sets itself up; undefined when debugfs cannot be looked into. */
  readonly initialised: boolean | undefined;
  /** pool_total_size is in bytes, stored_* and *_pages in base pages, the rest are events. */
  readonly counters: Counters | undefined;
}

/** Reads the debugfs counters of zswap. debugfs not mounted or closed to this user is one finding. */
export async function readZswapDebugfs(host: Host, findings: Finding[]): Promise<ZswapDebugfs> {
  let names: string[] | undefined;
  try {
    names = await host.list(zswapDebugfs);
  } catch (error) {
    if (!(error instanceof HostIoError)) throw error;
    addUnreadable(findings, error);
    return { initialised: undefined, counters: undefined };
  }
  if (names === undefined) {
    const { mounts } = await readFiles(host, findings, { mounts: kernelFile(mountinfoPath, parseMountinfo) });
    if (mounts === undefined) return { initialised: undefined, counters: undefined };
    if (mounts.some(({ type, mountPoint }) => type === 'debugfs' && mountPoint === debugfs)) {
      return { initialised: false, counters: undefined };
    }
    addFinding(findings, {
      path: debugfs,
      message: 'debugfs is not mounted: the counters of zswap cannot be read',
      mend: `mount -t debugfs none ${debugfs}`,
    });
    return { initialised: undefined, counters: undefined };
  }
  const values = await readList(
    host,
    findings,
    names.map((name) => kernelFile(hostPath(zswapDebugfs, name), parseZswapCounter)),
  );
  const counters = new Map<string, bigint>();
  for (const [index, name] of names.entries()) {
    const value = values[index];
    if (value !== undefined) counters.set(name, value);
  }
  return { initialised: true, counters };
}

/** Reads zswap's parameters and counters; `undefined` when this kernel has no zswap. */
export async function readZswap(host: Host, findings: Finding[]): Promise<ZswapState | undefined> {
  const names = await listDirectory(host, findings, zswapParameters);
  if (names === undefined) return undefined;
  const texts = await readList(
    host,
    findings,
    names.map((name) => {
      const codec = codecs[zswapParameterCodec(name)];
      const parse = parseWith<string | bigint | boolean>(codec);
      return kernelFile(zswapParameter(name), (text, path) => {
        parse(text, path);
        return chomp(text);
      });
    }),
  );
  const parameters = new Map<string, string>();
  for (const [index, name] of names.entries()) {
    const text = texts[index];
    if (text !== undefined) parameters.set(name, text);
  }
  const { initialised, counters } = await readZswapDebugfs(host, findings);
  const enabled = parameters.get('enabled');
  return {
    enabled: enabled === undefined ? undefined : codecs.yesNo.parse(enabled),
    compressor: parameters.get('compressor'),
    initialised,
    parameters: Object.fromEntries(parameters),
    debugfs: counters && Object.fromEntries([...counters].map(([name, value]) => [name, Number(value)])),
  };
}
