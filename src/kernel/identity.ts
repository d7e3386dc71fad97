/** What kernel, processor and boot this is: enough to say later whether two results may be compared. */
import type { Finding, KernelIdentity, Source } from '../discover/inventory.js';
import { ParseError } from '../errors.js';
import { codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { addFinding, type KernelFile, kernelFile, parseWith, readFiles } from './attribute.js';

export const identityPaths = {
  /** kernel/utsname_sysctl.c */
  release: hostPath('/proc/sys/kernel/osrelease'),
  /** fs/proc/version.c */
  version: hostPath('/proc/version'),
  /** fs/proc/cmdline.c */
  cmdline: hostPath('/proc/cmdline'),
  /** drivers/char/random.c */
  bootId: hostPath('/proc/sys/kernel/random/boot_id'),
  /** Written by the distribution: machine-id(5). */
  machineId: hostPath('/etc/machine-id'),
  /** arch/x86/kernel/cpu/proc.c */
  cpuinfo: hostPath('/proc/cpuinfo'),
  /** kernel/time/clocksource.c */
  clocksource: hostPath('/sys/devices/system/clocksource/clocksource0/current_clocksource'),
  /** mm/vmscan.c */
  lruGen: hostPath('/sys/kernel/mm/lru_gen/enabled'),
} as const;

/** Where distributions keep the configuration of the kernel with this release. */
export function kernelConfigPath(release: string): HostPath {
  return hostPath('/boot', `config-${release}`);
}

/** A flag that only the processors of the software model have. */
export const modelFlag = 'iaa_zswap_model';

/** What the first processor of /proc/cpuinfo says of itself. */
export interface Processor {
  readonly model: string | undefined;
  /** As `0x1000065`. */
  readonly microcode: string | undefined;
  readonly flags: ReadonlySet<string>;
}

/** Parses the first processor of /proc/cpuinfo: lines `name<tab>: value`; throws ParseError with the line. */
export function parseCpuinfo(text: string, path: string = identityPaths.cpuinfo): Processor {
  const fields = new Map<string, string>();
  const end = text.indexOf('\n\n');
  const first = end === -1 ? text.replace(/\n$/, '') : text.slice(0, end);
  for (const [index, line] of first.split('\n').entries()) {
    const match = /^([^\t:]+)\t*:(?: (.*))?$/.exec(line);
    if (match?.[1] === undefined) {
      throw new ParseError({ path, line: index + 1, found: line, expected: "a line 'name: value'" });
    }
    fields.set(match[1], match[2] ?? '');
  }
  return {
    model: fields.get('model name'),
    microcode: fields.get('microcode'),
    flags: new Set(fields.get('flags')?.split(' ')),
  };
}

const wanted =
  /^CONFIG_(?:ZSWAP|ZPOOL|ZSMALLOC|SWAP$|TRANSPARENT_HUGEPAGE|MEMCG|LRU_GEN|INTEL_IDXD|CRYPTO_DEV_IAA|CRYPTO_(?:DEFLATE|LZO|LZ4|ZSTD)$)/;

/** Parses a kernel .config: the options of zswap, THP, memcg, idxd and iaa_crypto; `n` for one that is not set. */
export function parseKernelConfig(text: string, path: string): Record<string, string> {
  const options = new Map<string, string>();
  for (const [index, line] of text.split('\n').entries()) {
    const match = /^(?:(CONFIG_\w+)=(.+)|# (CONFIG_\w+) is not set|#.*|)$/.exec(line);
    if (match === null) {
      throw new ParseError({
        path,
        line: index + 1,
        found: line,
        expected: 'CONFIG_NAME=value or a comment',
      });
    }
    const name = match[1] ?? match[3];
    if (name !== undefined && wanted.test(name)) options.set(name, match[2] ?? 'n');
  }
  return Object.fromEntries(options);
}

/** `0x0007`: the bits of the multi-generational LRU that are on (mm/vmscan.c enabled_show). */
function parseLruGen(text: string, path: string): string {
  if (!/^0x[0-9a-f]{4}\n?$/.test(text)) {
    throw new ParseError({ path, found: text, expected: 'a bit mask, as 0x0007' });
  }
  return text.trimEnd();
}

/** Reads the identity, and from the processor's flags whether it is a model or a hypervisor is underneath. */
export async function readIdentity(
  host: Host,
  findings: Finding[],
): Promise<{ kernel: KernelIdentity; source: Source }> {
  const line = (path: HostPath): KernelFile<string> => kernelFile(path, parseWith(codecs.text));
  const { cpuinfo, ...rest } = await readFiles(host, findings, {
    release: line(identityPaths.release),
    version: line(identityPaths.version),
    cmdline: line(identityPaths.cmdline),
    bootId: line(identityPaths.bootId),
    machineId: line(identityPaths.machineId),
    clocksource: line(identityPaths.clocksource),
    lruGen: kernelFile(identityPaths.lruGen, parseLruGen),
    cpuinfo: kernelFile(identityPaths.cpuinfo, parseCpuinfo),
  });
  return {
    kernel: {
      ...rest,
      config: await readConfig(host, findings, rest.release),
      cpuModel: cpuinfo?.model,
      microcode: cpuinfo?.microcode,
    },
    source: sourceOf(cpuinfo, findings),
  };
}

async function readConfig(
  host: Host,
  findings: Finding[],
  release: string | undefined,
): Promise<Record<string, string> | undefined> {
  // A release is part of a path here; the kernel's own holds no slash.
  if (release === undefined || !/^[\w.+~-]+$/.test(release)) return undefined;
  const { config } = await readFiles(host, findings, {
    config: kernelFile(kernelConfigPath(release), parseKernelConfig),
  });
  return config;
}

/** CPUID leaf 1 ECX bit 31 is 0 on hardware and set by hypervisors; Linux shows it as the flag `hypervisor`. */
function sourceOf(processor: Processor | undefined, findings: Finding[]): Source {
  if (processor !== undefined && processor.flags.size > 0) {
    if (processor.flags.has(modelFlag)) return 'model';
    return processor.flags.has('hypervisor') ? 'emulated' : 'hardware';
  }
  addFinding(findings, {
    path: identityPaths.cpuinfo,
    message: 'the processor flags are unknown, so this may be a virtual machine: taken as emulated',
    mend: 'see that /proc is mounted and that a captured tree holds this file',
  });
  return 'emulated';
}
