/** Captures a machine: the files that this program reads and those that its mocks react on. */
import { lstatSync, readdirSync, readlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import type { Host } from '../host/host.js';
import { findKernelSymbols, kallsymsPath } from '../host/kernel-symbols.js';
import { type HostPath, hostPath } from '../host/path.js';
import { noRedaction, redactorFor } from '../host/redact.js';
import type { TreeEntry } from './archive.js';

/** Files, and directories of which the names match in `below`; links in between are followed. */
const sources: readonly { readonly path: string; readonly below?: RegExp }[] = [
  { path: '/etc/machine-id' },
  { path: '/proc/cmdline' },
  { path: '/proc/cpuinfo' },
  { path: '/proc/crypto' },
  { path: '/proc/meminfo' },
  { path: '/proc/self/mountinfo' },
  { path: '/proc/swaps' },
  { path: '/proc/sys/kernel/osrelease' },
  { path: '/proc/sys/kernel/random/boot_id' },
  {
    path: '/proc/sys/vm',
    below:
      /^(compaction_proactiveness|max_map_count|min_free_kbytes|overcommit_memory|page-cluster|swappiness|vfs_cache_pressure|watermark_\w+_factor)$/,
  },
  { path: '/proc/version' },
  { path: '/proc/vmstat' },
  { path: '/run/systemd/system', below: /^$/ },
  {
    path: '/sys/bus/dsa/drivers',
    below:
      /^(crypto|dmaengine|idxd|user)(\/(bind|uevent|unbind|module|verify_compress|sync_mode|g_\w+|distribute_\w+|(iax|dsa|wq)[\d.]+))?$/,
  },
  { path: '/sys/class/iommu', below: /^dmar\d+$/ },
  { path: '/sys/devices/system/clocksource/clocksource0/current_clocksource' },
  {
    path: '/sys/devices/system/cpu',
    below:
      /^(online|possible|cpu\d+(\/topology(\/(core_id|physical_package_id))?)?|cpufreq|cpufreq\/policy\d+(\/(affected_cpus|scaling_\w+|energy_performance_\w+|cpuinfo_m\w+_freq))?|intel_pstate(\/\w+)?)$/,
  },
  { path: '/sys/devices/system/node', below: /^(online|node\d+(\/cpulist)?)$/ },
  { path: '/sys/fs/cgroup', below: /^cgroup\.(controllers|subtree_control)$/ },
  { path: '/sys/kernel/debug', below: /^(zswap|iaa_crypto|iaa-crypto)(\/\w+)?$/ },
  { path: '/sys/kernel/mm/hugepages', below: /./ },
  { path: '/sys/kernel/mm/lru_gen/enabled' },
  { path: '/sys/kernel/mm/transparent_hugepage', below: /./ },
  { path: '/sys/kernel/security/lockdown' },
  { path: '/sys/module/iaa_crypto', below: /^(initstate|refcnt|parameters(\/\w+)?)$/ },
  { path: '/sys/module/idxd', below: /^(initstate|refcnt|parameters(\/\w+)?)$/ },
  { path: '/sys/module/zswap/parameters', below: /./ },
];

/** Of an idxd device: its attributes and driver, and those of its work queues, engines and groups. */
const insideDevice = /^((wq|engine|group)[\d.]+\/)?[a-z_]+$|^(wq|engine|group)[\d.]+$/;

const devicesPath = '/sys/bus/dsa/devices';

/** Not attributes of idxd, though they are in the same directories. */
const notIdxd = /(^|\/)(power|subsystem|uevent|firmware_node)$/;

/** Functions whose names say what a kernel can do; the file they are in is far too long to keep. */
const symbols = ['crypto_acomp_batch_compress', 'zswap_store', 'zswap_store_pages'];

export interface CaptureOptions {
  /** Leaves out what tells the machine or a person, as in traces. */
  readonly redact?: boolean;
}

/** What was captured, and the paths of what could not be read, each with its errno. */
export interface Capture {
  readonly entries: readonly TreeEntry[];
  readonly leftOut: readonly string[];
}

/** Captures the machine behind a host whose root is a directory (live, root:DIR); only reads. */
export async function captureMachine(host: Host, options: CaptureOptions = {}): Promise<Capture> {
  const redactor = options.redact === true ? await redactorFor(host) : noRedaction;
  const files = new Map<string, number>();
  const entries: TreeEntry[] = [];
  const leftOut: string[] = [];
  const failed = (path: string, error: unknown): void => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    if (code !== 'ENOENT') leftOut.push(`${path}: ${code}`);
  };

  /** Notes what is at a path; `inside` says whether what lies below it, by its path from `top`, is wanted. */
  const visit = (path: string, top: string, inside: (rest: string) => boolean): void => {
    const real = join(host.root, path);
    try {
      const stats = lstatSync(real);
      if (stats.isSymbolicLink()) {
        entries.push({ kind: 'link', path, target: withinTree(path, readlinkSync(real)) });
      } else if (stats.isFile()) {
        files.set(path, stats.mode & 0o777);
      } else if (stats.isDirectory()) {
        const names = readdirSync(real).filter((name) => inside(relative(top, `${path}/${name}`)));
        for (const name of names) visit(`${path}/${name}`, top, inside);
        if (names.length === 0) entries.push({ kind: 'dir', path, mode: stats.mode & 0o777 });
      }
    } catch (error) {
      failed(path, error);
    }
  };

  const [release = ''] = await host.tryRead([hostPath('/proc/sys/kernel/osrelease')]);
  if (/^[\w.+~-]+\n$/.test(release)) visit(`/boot/config-${release.trim()}`, '/', () => false);
  for (const { path, below } of sources) visit(path, path, (rest) => below?.test(rest) ?? false);
  // The bus is there as soon as idxd is, without devices, too.
  const devices = await host.list(hostPath(devicesPath));
  if (devices?.length === 0) entries.push({ kind: 'dir', path: devicesPath, mode: 0o755 });
  for (const name of devices ?? []) {
    const link = `${devicesPath}/${name}`;
    visit(link, link, () => false);
    const target = await host.readlink(hostPath(link));
    if (target === undefined || !/^(iax|dsa)\d+$/.test(name)) continue;
    const device = join(dirname(link), target);
    visit(device, device, (rest) => insideDevice.test(rest) && !notIdxd.test(rest));
    for (const file of ['device', 'numa_node', 'vendor'])
      visit(`${dirname(device)}/${file}`, '/', () => false);
    const pci = `/sys/bus/pci/devices/${dirname(device).split('/').at(-1)}`;
    visit(pci, pci, () => false);
  }

  const paths = [...files.keys()].map((path) => hostPath(path));
  for (const [index, outcome] of (await host.probe(paths)).entries()) {
    const path = paths[index] as HostPath;
    const mode = files.get(path) ?? 0;
    if (outcome.ok) entries.push(file(path, mode, redactor.content(path, outcome.text)));
    // Files that only take writes belong to the machine, too.
    else if ((mode & 0o444) === 0) entries.push(file(path, mode, ''));
    else leftOut.push(`${path}: ${outcome.error.errnoCode}`);
  }
  const found = await findKernelSymbols(host, symbols);
  if (found !== undefined) {
    const lines = [...found].sort().map((name) => `0000000000000000 t ${name}\n`);
    entries.push(file(kallsymsPath, 0o444, lines.join('')));
  }
  return { entries, leftOut };
}

function file(path: string, mode: number, text: string): TreeEntry {
  return { kind: 'file', path, mode, content: Buffer.from(text, 'utf8') };
}

/** An absolute link as archives want it: relative. */
function withinTree(path: string, target: string): string {
  return target.startsWith('/') ? relative(dirname(path), target) : target;
}
