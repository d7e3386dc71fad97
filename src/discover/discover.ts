import { UsageError } from '../errors.js';
import { type CodecName, codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { addFinding, kernelFile, parseWith, readList } from '../kernel/attribute.js';
import {
  intelPstateAttribute,
  intelPstateSettings,
  policyAttribute,
  policySettings,
  readCpufreq,
} from '../kernel/cpufreq.js';
import {
  iaaAttribute,
  iaaDriverSettings,
  readIaaAttributes,
  readIaaStatistics,
} from '../kernel/iaa-crypto.js';
import { readIdentity } from '../kernel/identity.js';
import { deviceSettings, readIdxd } from '../kernel/idxd.js';
import { cgroupFile, parseControllers, readCgroup } from '../kernel/memcg.js';
import { readMemory } from '../kernel/meminfo.js';
import { readCompressors } from '../kernel/proc-crypto.js';
import { readSwaps, swapsPath } from '../kernel/swap.js';
import { vmSysctl, vmSysctls } from '../kernel/sysctl.js';
import { readThp, thpDirectory, thpSizeEnabled, thpSwitch, thpSwitches } from '../kernel/thp.js';
import { readCoresPerPackage, readTopology } from '../kernel/topology.js';
import { readZswap, zswapParameter, zswapParameterCodec, zswapParameters } from '../kernel/zswap.js';
import type {
  CpufreqState,
  CpuTopology,
  Finding,
  IaaState,
  Inventory,
  ThpState,
  ZswapState,
} from './inventory.js';

/**
 * Finds out what a host is and has; reads only, and needs no root. Throws UsageError when the host is no
 * machine at all; whatever else is missing or strange is in the inventory's findings.
 */
export async function discover(host: Host): Promise<Inventory> {
  const isMachine =
    (await host.list(hostPath('/sys'))) !== undefined || (await host.list(hostPath('/proc'))) !== undefined;
  if (!isMachine) {
    throw new UsageError(`${host.root}: not the root of a machine: neither /proc nor /sys is in it`, {
      hint: 'give --host root:DIR the directory that holds proc and sys',
    });
  }
  const findings: Finding[] = [];
  const { kernel, source } = await readIdentity(host, findings);
  const cpu = await readTopology(host, findings);
  const cpufreq = await readCpufreq(host, findings);
  const memory = await readMemory(host, findings);
  const swap = (await readSwaps(host, findings)) ?? [];
  const compressors = await readCompressors(host, findings);
  const zswap = await readZswap(host, findings);
  const thp = await readThp(host, findings);
  const cgroup = await readCgroup(host, findings);
  const iaa = await readIaa(host, findings, cpu);
  const attributes = await readAttributes(host, findings, { cpufreq, zswap, thp, cgroup, iaa });
  addShortcomings(findings, { swap: swap.length, zswap, thp });
  return {
    schemaVersion: 1,
    host: host.name,
    source,
    kernel,
    cpu,
    cpufreq,
    memory,
    swap,
    compressors,
    zswap,
    thp,
    cgroup,
    iaa,
    attributes,
    findings,
  };
}

async function readIaa(host: Host, findings: Finding[], cpu: CpuTopology): Promise<IaaState | undefined> {
  const idxd = await readIdxd(host, findings, cpu);
  if (idxd === undefined) return undefined;
  const driverAttributes = await readIaaAttributes(host, findings);
  const statistics = await readIaaStatistics(host, findings, driverAttributes !== undefined);
  const coresPerPackage = await readCoresPerPackage(host, findings, cpu);
  return { ...idxd, coresPerPackage, driverAttributes, statistics };
}

/** What may be set of IAA, whether this kernel and device offer it or not. */
function iaaSettings(iaa: IaaState): [HostPath, CodecName][] {
  return [
    ...iaa.devices.flatMap(({ name }) =>
      deviceSettings(iaa, name).map(({ path, codec }): [HostPath, CodecName] => [path, codec]),
    ),
    ...Object.keys(iaa.driverAttributes ?? {}).map((name): [HostPath, CodecName] => [
      iaaAttribute(name),
      iaaDriverSettings[name] ?? 'text',
    ]),
  ];
}

function cpufreqSettings({ policies }: CpufreqState): [HostPath, CodecName][] {
  return [
    ...policies.flatMap(({ name }) =>
      Object.entries(policySettings).map(([attribute, codec]): [HostPath, CodecName] => [
        policyAttribute(name, attribute),
        codec,
      ]),
    ),
    ...Object.entries(intelPstateSettings).map(([attribute, codec]): [HostPath, CodecName] => [
      intelPstateAttribute(attribute),
      codec,
    ]),
  ];
}

/** The exact texts of all that a plan may set and that reads as its codec says. */
async function readAttributes(
  host: Host,
  findings: Finding[],
  { cpufreq, zswap, thp, cgroup, iaa }: Pick<Inventory, 'cpufreq' | 'zswap' | 'thp' | 'cgroup' | 'iaa'>,
): Promise<Record<string, string>> {
  const settable: [HostPath, CodecName][] = [
    ...Object.keys(zswap?.parameters ?? {}).map((name): [HostPath, CodecName] => [
      zswapParameter(name),
      zswapParameterCodec(name),
    ]),
    ...Object.entries(thp === undefined ? {} : thpSwitches).map(([name, codec]): [HostPath, CodecName] => [
      thpSwitch(name),
      codec,
    ]),
    ...(thp?.sizes ?? []).map((size): [HostPath, CodecName] => [thpSizeEnabled(size.name), 'choice']),
    ...Object.entries(vmSysctls).map(([name, codec]): [HostPath, CodecName] => [vmSysctl(name), codec]),
    ...(cpufreq === undefined ? [] : cpufreqSettings(cpufreq)),
    ...(iaa === undefined ? [] : iaaSettings(iaa)),
  ];
  const files = settable.map(([path, name]) => {
    const parse = parseWith<string | bigint | boolean>(codecs[name]);
    return kernelFile(path, (text) => {
      parse(text, path);
      return text;
    });
  });
  if (cgroup.mount !== undefined) {
    files.push(
      kernelFile(cgroupFile(hostPath(cgroup.mount), 'cgroup.subtree_control'), (text, path) => {
        parseControllers(text, path);
        return text;
      }),
    );
  }
  const texts = await readList(host, findings, files);
  const attributes = new Map<string, string>();
  for (const [index, file] of files.entries()) {
    const text = texts[index];
    if (text !== undefined) attributes.set(file.path, text);
  }
  return Object.fromEntries(attributes);
}

/** What is in order as far as the kernel is concerned, but keeps zswap from doing its work. */
function addShortcomings(
  findings: Finding[],
  machine: { swap: number; zswap: ZswapState | undefined; thp: ThpState | undefined },
): void {
  if (machine.zswap === undefined) {
    addFinding(findings, {
      path: zswapParameters,
      message: 'this kernel has no zswap',
      mend: 'boot a kernel with CONFIG_ZSWAP=y',
    });
  } else if (machine.zswap.enabled === true && machine.zswap.initialised === false) {
    addFinding(findings, {
      path: zswapParameters,
      message: 'zswap is enabled but has not set itself up',
      mend: "look for 'zswap:' in the kernel log (dmesg)",
    });
  }
  if (machine.thp === undefined) {
    addFinding(findings, {
      path: thpDirectory,
      message: 'this kernel has no transparent huge pages',
      mend: 'boot a kernel with CONFIG_TRANSPARENT_HUGEPAGE=y',
    });
  }
  if (machine.swap === 0) {
    addFinding(findings, {
      path: swapsPath,
      message: 'no swap area is on: zswap stores only what is on its way to one',
      mend: 'make one with mkswap and turn it on with swapon',
    });
  }
}
