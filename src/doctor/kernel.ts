/** Checks on the kernel: what it lacks, and its faults by range of releases. */
import { mappingOf } from '../discover/iaa-mapping.js';
import type { Inventory } from '../discover/inventory.js';
import { kallsymsPath } from '../host/kernel-symbols.js';
import { debugfs } from '../kernel/debugfs.js';
import { iaaDriverDirectory } from '../kernel/iaa-crypto.js';
import { groupCpus } from '../kernel/iaa-mapping.js';
import { identityPaths } from '../kernel/identity.js';
import { dsaDriverFile } from '../kernel/idxd-device.js';
import { isWithin, parseRelease, type VersionRange } from '../kernel/release.js';
import { swapsPath } from '../kernel/swap.js';
import { thpDirectory } from '../kernel/thp.js';
import { zswapParameters } from '../kernel/zswap.js';
import { type Diagnosis, enumerate, inOrder } from './diagnosis.js';
import { batchSymbols, type Facts } from './facts.js';

/** Whether this kernel compresses several pages at a time, as the patches under test make it do. */
export function checkBatching({ iaa }: Inventory, { symbols }: Facts): Diagnosis {
  const check = 'kernel.batching';
  const attributes = ['g_comp_wqs_per_iaa', 'distribute_comps', 'distribute_decomps'].filter(
    (name) => iaa?.driverAttributes?.[name] !== undefined,
  );
  const found = Object.values(batchSymbols).filter((name) => symbols?.has(name));
  if (found.length > 0) {
    return inOrder(check, kallsymsPath, `this kernel has ${enumerate(found)}`, 'zswap compresses in batches');
  }
  if (attributes.length > 0) {
    return {
      check,
      severity: 'note',
      path: iaaDriverDirectory,
      message: `the driver has ${enumerate(attributes)}; no symbol of batching was seen in zswap`,
      meaning: 'the iaa_crypto driver has the patches; zswap may have them with its functions inlined',
      mend: undefined,
    };
  }
  if (symbols === undefined) {
    return {
      check,
      severity: 'note',
      path: kallsymsPath,
      message: 'whether this kernel compresses in batches is not known',
      meaning: 'it does not show its symbols, or they were not captured',
      mend: 'capture /proc/kallsyms too',
    };
  }
  return {
    check,
    severity: 'warning',
    path: kallsymsPath,
    message: `this kernel does not compress in batches: it has no ${Object.values(batchSymbols).join(', no ')} and no driver attribute of theirs`,
    meaning: "pages are compressed one by one: the letter's gains from IAA cannot show here",
    mend: 'boot a kernel with "zswap compression batching"; no mainline release known to this program has it',
  };
}

/** Which devices the kernel's mapping leaves idle or overloads; while none is bound, what it would do with all. */
export function checkMapping(inventory: Inventory): Diagnosis[] {
  const now = mappingOf(inventory);
  const hypothetical = now?.devices.length === 0;
  const all = (inventory.iaa?.devices ?? []).map(({ name }) => ({ name, wqs: [name] }));
  // What kind of driver it is shows only once it is loaded.
  if (hypothetical && inventory.iaa?.driverAttributes === undefined) return [];
  const mapping = hypothetical ? mappingOf(inventory, all) : now;
  if (mapping === undefined || mapping.devices.length === 0) return [];
  const condition = hypothetical ? 'with all devices in use ' : '';
  const check = 'kernel.mapping';
  const path = iaaDriverDirectory;
  if (mapping.variant === undefined) {
    return [
      {
        check,
        severity: 'note',
        path,
        message: `how CPUs are mapped to WQs is not known: ${mapping.source}`,
        meaning: 'topology shows no mapping',
        mend: undefined,
      },
    ];
  }
  const uses = (wqs: readonly string[]): string[] =>
    mapping.devices.filter((device) => device.wqs.some((wq) => wqs.includes(wq))).map(({ name }) => name);
  const groups = groupCpus(mapping.cpus, 'compress');
  const cpusOf = new Map(mapping.devices.map(({ name }) => [name, 0]));
  for (const { cpus, wqs } of groups) {
    for (const name of uses(wqs)) cpusOf.set(name, (cpusOf.get(name) ?? 0) + cpus.length);
  }
  const idle = [...cpusOf].filter(([, cpus]) => cpus === 0).map(([name]) => name);
  const counts = [...cpusOf.values()];
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const mend =
    mapping.variant === 'package'
      ? 'use the same number of devices in each package'
      : 'use 6.18.33, 7.0.10, 7.1 or later, where the count of CPUs runs on from node to node';
  if (idle.length > 0) {
    return [
      {
        check,
        severity: 'warning',
        path,
        message: `${condition}no CPU compresses with ${enumerate(idle)} (${mapping.source})`,
        meaning: 'these devices are idle and the others have more to do',
        mend,
      },
    ];
  }
  if (most > 2 * least) {
    return [
      {
        check,
        severity: 'warning',
        path,
        message: `${condition}devices have from ${least} to ${most} CPUs (${mapping.source})`,
        meaning: 'some devices have far more to do than others',
        mend,
      },
    ];
  }
  return [
    inOrder(
      check,
      path,
      `${condition}every device has CPUs (${mapping.source})`,
      'the work is spread over all devices',
    ),
  ];
}

interface Fault {
  readonly check: string;
  readonly ranges: readonly VersionRange[];
  readonly severity: 'warning' | 'note';
  readonly path: string;
  readonly message: string;
  readonly meaning: string;
  readonly mend: string;
  /** Whether kernels with the batching patches have it too. */
  readonly withPatches: boolean;
}

/** Known faults that bear on configuring IAA, besides the mapping. */
const faults: readonly Fault[] = [
  {
    // drivers/dma/idxd/device.c idxd_device_evl_free(): commit d5638de827cf, in 6.9 and 6.8.9.
    check: 'kernel.unbind-oops',
    ranges: [{ from: [6, 8, 0], before: [6, 8, 9] }],
    severity: 'warning',
    path: dsaDriverFile('idxd', 'unbind'),
    message: 'unbinding an idxd device with an event log can oops (Linux 6.8 to 6.8.8)',
    meaning: 'idxd_device_evl_free() frees memory, which may sleep, while it holds a spin lock',
    mend: 'use 6.8.9, 6.9 or later (a distribution may have the repair, commit d5638de827cf, in its 6.8), or take the devices as modprobe configures them',
    withPatches: true,
  },
  {
    // drivers/crypto/intel/iaa/iaa_crypto_main.c: the algorithm is unregistered only when the module goes.
    check: 'kernel.re-enable',
    ranges: [{ from: [6, 8, 0], before: undefined }],
    severity: 'note',
    path: dsaDriverFile('crypto', 'bind'),
    message: 'binding a WQ fails (EEXIST) after all WQs of iaa_crypto were unbound',
    meaning: 'mainline keeps deflate-iaa registered until the module is removed',
    mend: 'rmmod iaa_crypto and modprobe iaa_crypto before WQs are bound again',
    withPatches: false,
  },
];

export function checkFaults({ kernel, iaa }: Inventory): Diagnosis[] {
  const version = kernel.release === undefined ? undefined : parseRelease(kernel.release);
  if (version === undefined || iaa === undefined || iaa.devices.length === 0) return [];
  const patched = iaa.driverAttributes?.['distribute_comps'] !== undefined;
  return faults
    .filter(
      ({ ranges, withPatches }) =>
        (withPatches || !patched) && ranges.some((range) => isWithin(version, range)),
    )
    .map(({ check, severity, path, message, meaning, mend }) => ({
      check,
      severity,
      path,
      message,
      meaning,
      mend,
    }));
}

export function checkSwapAndZswap({ swap, zswap, thp }: Inventory): Diagnosis[] {
  const diagnoses: Diagnosis[] = [];
  const total = swap.reduce((sum, { sizeKiB }) => sum + sizeKiB, 0);
  diagnoses.push(
    swap.length === 0
      ? {
          check: 'swap',
          severity: 'problem',
          path: swapsPath,
          message: 'no swap area is on',
          meaning: 'zswap stores only pages that are on their way to one',
          mend: 'make one with mkswap and turn it on with swapon',
        }
      : inOrder(
          'swap',
          swapsPath,
          `${total >> 10} MiB of swap in ${swap.length} ${swap.length === 1 ? 'area' : 'areas'}`,
          'every page in zswap holds a slot there',
        ),
  );
  const zram = swap.filter(({ path }) => /^\/dev\/zram\d+$/.test(path)).map(({ path }) => path);
  if (zram.length > 0) {
    diagnoses.push({
      check: 'swap.zram',
      severity: 'warning',
      path: swapsPath,
      message: `swap on ${enumerate(zram)}`,
      meaning: 'pages are compressed twice, and what zswap writes back stays in memory',
      mend: 'use a disk or a file for swap while zswap is measured',
    });
  }
  if (zswap === undefined) {
    diagnoses.push({
      check: 'zswap',
      severity: 'problem',
      path: zswapParameters,
      message: 'this kernel has no zswap',
      meaning: 'there is nothing that could use IAA for swap',
      mend: 'boot a kernel with CONFIG_ZSWAP=y',
    });
  } else if (zswap.enabled === true && zswap.initialised === false) {
    diagnoses.push({
      check: 'zswap',
      severity: 'problem',
      path: zswapParameters,
      message: 'zswap is enabled but has not set itself up',
      meaning: 'nothing is compressed',
      mend: "look for 'zswap:' in the kernel log (dmesg)",
    });
  } else {
    const state =
      zswap.enabled === true ? `enabled with ${zswap.compressor ?? 'an unknown compressor'}` : 'off';
    diagnoses.push(
      inOrder('zswap', zswapParameters, `zswap is ${state}`, 'apply sets it as the experiment says'),
    );
  }
  if (thp === undefined) {
    diagnoses.push({
      check: 'thp',
      severity: 'warning',
      path: thpDirectory,
      message: 'this kernel has no transparent huge pages',
      meaning: 'only folios of 4 KiB can be measured',
      mend: 'boot a kernel with CONFIG_TRANSPARENT_HUGEPAGE=y',
    });
  }
  return diagnoses;
}

/** What keeps counters from being recorded: debugfs, and the statistics of iaa_crypto in it. */
export function checkStatistics({ iaa, zswap, findings }: Inventory): Diagnosis[] {
  const closed = findings.find(({ path }) => path === debugfs);
  if (closed !== undefined) {
    return [
      {
        check: 'debugfs',
        severity: 'warning',
        ...closed,
        meaning: "zswap's own counters and the statistics of iaa_crypto cannot be seen",
      },
    ];
  }
  const diagnoses =
    zswap?.initialised === undefined
      ? []
      : [inOrder('debugfs', debugfs, 'debugfs is readable', "zswap's counters are recorded")];
  const access = iaa?.statistics.access;
  const directory = iaa?.statistics.directory ?? `${debugfs}/iaa_crypto`;
  if (access === 'readable') {
    return [
      ...diagnoses,
      inOrder(
        'statistics',
        directory,
        'the statistics of iaa_crypto are readable',
        'calls, bytes and errors by device and WQ',
      ),
    ];
  }
  const refused = findings.find(({ path }) => path === directory || path.startsWith(`${directory}/`));
  if (refused === undefined) return diagnoses;
  return [
    ...diagnoses,
    {
      check: 'statistics',
      severity: 'note',
      ...refused,
      meaning: 'calls, bytes and errors by device and WQ cannot be seen',
    },
  ];
}

export function checkRelease({ kernel }: Inventory): Diagnosis[] {
  if (kernel.release !== undefined && parseRelease(kernel.release) !== undefined) return [];
  return [
    {
      check: 'kernel.release',
      severity: 'note',
      path: identityPaths.release,
      message: `the kernel release is not known (${kernel.release ?? 'absent'})`,
      meaning: 'known faults of releases cannot be told',
      mend: undefined,
    },
  ];
}
