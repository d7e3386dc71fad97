/**
 * Devices of the idxd driver (drivers/dma/idxd/sysfs.c, Documentation/ABI/stable/sysfs-driver-dma-idxd). They are
 * found by listing the dsa bus: one counter numbers DSA and IAA devices together, so a number says nothing.
 */
import type { CpuTopology, Finding, IdxdDevice } from '../discover/inventory.js';
import { HostIoError, ParseError } from '../errors.js';
import { type CodecName, chomp, codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { addUnreadable, kernelFile, type Parse, parseCount, parseWith, readFiles } from './attribute.js';
import { parseCommandStatus } from './cmd-status.js';

export const dsaDevices = hostPath('/sys/bus/dsa/devices');
export const dsaDrivers = hostPath('/sys/bus/dsa/drivers');

/** Path of one of a device's attributes, as `iax1`, `state`. */
export function idxdDeviceAttribute(device: string, name: string): HostPath {
  return hostPath(dsaDevices, device, name);
}

/** Path of a driver's file, as `idxd`, `bind`. */
export function dsaDriverFile(driver: string, name: string): HostPath {
  return hostPath(dsaDrivers, driver, name);
}

/** The attributes of a device that can be set, with their codecs. */
export const idxdDeviceSettings: Readonly<Record<string, CodecName>> = { event_log_size: 'decimal' };

const bitmapBits = 256;

function setBits(words: readonly bigint[], wordBits: number): number[] {
  return words.flatMap((word, index) =>
    Array.from({ length: wordBits }, (_, bit) => bit)
      .filter((bit) => ((word >> BigInt(bit)) & 1n) === 1n)
      .map((bit) => index * wordBits + bit),
  );
}

/**
 * Parses a bitmap of 256 bits in either of its forms, into the numbers of the set bits, ascending: eight 32-bit
 * words with commas between them, the highest first (%*pb), or four 64-bit words with blanks between
 * them, the lowest first. Throws ParseError.
 */
export const parseBitmap256: Parse<number[]> = (text, path) => {
  const line = chomp(text).trimEnd();
  if (/^[0-9a-f]{1,8}(?:,[0-9a-f]{8}){0,7}$/.test(line)) {
    const words = line.split(',').map((word) => BigInt(`0x${word}`));
    return setBits(words.reverse(), 32);
  }
  if (/^(?:0x[0-9a-f]{1,16}|0)(?: (?:0x[0-9a-f]{1,16}|0)){3}$/.test(line)) {
    return setBits(line.split(' ').map(BigInt), 64);
  }
  throw new ParseError({ path, found: text, expected: `a bitmap of ${bitmapBits} bits` });
};

/** Parses `%#x` numbers of up to 64 bits, as version and gen_cap; the text without newline. Throws ParseError. */
export const parseHexText: Parse<string> = (text, path) => {
  const value = chomp(text);
  if (!/^(?:0|0x[0-9a-f]{1,16})$/.test(value)) {
    throw new ParseError({ path, found: text, expected: 'a hexadecimal number with 0x' });
  }
  return value;
};

/** Parses a decimal that may be negative and that a double holds exactly; throws ParseError. */
export const parseInteger: Parse<number> = (text, path) => {
  const value = chomp(text);
  if (!/^-?\d{1,16}$/.test(value) || !Number.isSafeInteger(Number(value))) {
    throw new ParseError({ path, found: text, expected: 'a decimal number' });
  }
  return Number(value);
};

/** Last part of a symlink's text; `undefined` when there is no link, or (with a finding) it cannot be read. */
export async function linkName(host: Host, findings: Finding[], path: HostPath): Promise<string | undefined> {
  const text = await readLink(host, findings, path);
  return text?.split('/').at(-1);
}

async function readLink(host: Host, findings: Finding[], path: HostPath): Promise<string | undefined> {
  try {
    return await host.readlink(path);
  } catch (error) {
    if (!(error instanceof HostIoError)) throw error;
    addUnreadable(findings, error);
    return undefined;
  }
}

/** The directory of the PCI function that a device on the dsa bus belongs to, from the text of the device's link. */
function parentOf(link: string | undefined): HostPath | undefined {
  // ../../../devices/pci0000:6a/0000:6a:02.0/iax1
  const match =
    /^(?:\.\.\/)+(devices(?:\/[\w:.-]+)*\/[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7])\/[\w.-]+$/.exec(
      link ?? '',
    );
  return match?.[1] === undefined ? undefined : hostPath('/sys', match[1]);
}

const parsePciNumber: Parse<string> = (text, path) => {
  const match = /^0x([0-9a-f]{4})\n?$/.exec(text);
  if (match?.[1] === undefined) throw new ParseError({ path, found: text, expected: 'a PCI id, as 0x8086' });
  return match[1];
};

/** PCI address and `vendor:device` of what is behind a link. */
async function readPciFunction(
  host: Host,
  findings: Finding[],
  device: string,
): Promise<{ address: string | undefined; id: string | undefined }> {
  const parent = parentOf(await readLink(host, findings, hostPath(dsaDevices, device)));
  if (parent === undefined) return { address: undefined, id: undefined };
  const { vendor, product } = await readFiles(host, findings, {
    vendor: kernelFile(hostPath(parent, 'vendor'), parsePciNumber),
    product: kernelFile(hostPath(parent, 'device'), parsePciNumber),
  });
  return {
    address: parent.slice(parent.lastIndexOf('/') + 1),
    id: vendor === undefined || product === undefined ? undefined : `${vendor}:${product}`,
  };
}

/** The package whose CPUs are on a node; `undefined` for no node, or one with CPUs of several packages. */
export function packageOfNode(cpu: CpuTopology, node: number | undefined): number | undefined {
  if (node === undefined || node < 0) return undefined;
  const packages = new Set(
    Object.entries(cpu.nodeOf)
      .filter(([, at]) => at === node)
      .map(([number]) => cpu.packageOf[Number(number)]),
  );
  return packages.size === 1 ? [...packages][0] : undefined;
}

/** Reads one device; what it does not offer is `undefined`. */
export async function readIdxdDevice(
  host: Host,
  findings: Finding[],
  name: string,
  cpu: CpuTopology,
): Promise<IdxdDevice> {
  const at = (attribute: string): HostPath => idxdDeviceAttribute(name, attribute);
  const attributes = await readFiles(host, findings, {
    state: kernelFile(at('state'), parseWith(codecs.text)),
    numaNode: kernelFile(at('numa_node'), parseInteger),
    version: kernelFile(at('version'), parseHexText),
    genCap: kernelFile(at('gen_cap'), parseHexText),
    iaaCap: kernelFile(at('iaa_cap'), parseHexText),
    opcodes: kernelFile(at('op_cap'), parseBitmap256),
    errorBits: kernelFile(at('errors'), parseBitmap256),
    maxGroups: kernelFile(at('max_groups'), parseCount),
    maxWorkQueues: kernelFile(at('max_work_queues'), parseCount),
    maxWorkQueuesSize: kernelFile(at('max_work_queues_size'), parseCount),
    maxEngines: kernelFile(at('max_engines'), parseCount),
    maxTransferSizeBytes: kernelFile(at('max_transfer_size'), parseCount),
    configurable: kernelFile(at('configurable'), parseWith(codecs.oneZero)),
    pasidEnabled: kernelFile(at('pasid_enabled'), parseWith(codecs.oneZero)),
    clients: kernelFile(at('clients'), parseInteger),
    commandStatus: kernelFile(at('cmd_status'), parseCommandStatus),
  });
  const { address, id } = await readPciFunction(host, findings, name);
  return {
    name,
    pciAddress: address,
    pciId: id,
    driver: await linkName(host, findings, at('driver')),
    packageId: packageOfNode(cpu, attributes.numaNode),
    ...attributes,
  };
}
