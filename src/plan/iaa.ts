import type { IdxdDevice, IdxdWq, Inventory } from '../discover/inventory.js';
import type { Cell } from '../experiment/cells.js';
import type { IaaSettings, WorkQueueSettings } from '../experiment/iaa-schema.js';
import type { Experiment } from '../experiment/schema.js';
import { type CodecName, chomp, codecs } from '../host/codecs.js';
import { type HostPath, hostPath } from '../host/path.js';
import {
  iaaAttribute,
  iaaDriver,
  iaaDriverDirectory,
  iaaDriverSettings,
  iaaModule,
  isIaaCompressor,
} from '../kernel/iaa-crypto.js';
import { deviceSettings } from '../kernel/idxd.js';
import { dsaDevices, dsaDriverFile } from '../kernel/idxd-device.js';
import { idxdChildAttribute } from '../kernel/idxd-wq.js';
import { compressorNamed } from '../kernel/proc-crypto.js';
import { parseCpuList } from '../kernel/topology.js';
import { zswapParameter } from '../kernel/zswap.js';
import { asSaid, type Planner } from './planner.js';
import type { AttributeStep, BindStep } from './steps.js';

/** What keeps zswap busy while IAA is taken down, the best known first. */
const standIns = ['lzo-rle', 'lzo', 'lz4', 'zstd', 'deflate'];

/**
 * Sets IAA up for a cell whose compressor is one of its algorithms: zswap off it, devices and WQs down, module anew,
 * driver attributes, devices and WQs up in ascending order. A device that is as wanted is not touched, unless the
 * driver's attributes must change: it takes them only while no WQ is bound. `take`: devices of others may be taken.
 */
export function planIaa(
  planner: Planner,
  inventory: Inventory,
  experiment: Experiment,
  cell: Cell,
  take: boolean,
): void {
  if (!isIaaCompressor(cell.compressor)) return;
  const settings = experiment.iaa;
  const { iaa, compressors } = inventory;
  const isRegistered = compressors?.some(({ driver }) => driver === cell.compressor) ?? true;
  if (isRegistered && settings === undefined) return;
  if (iaa === undefined || iaa.devices.length === 0) {
    planner.issue(
      dsaDevices,
      `${cell.compressor} needs an IAA device, and ${iaa === undefined ? 'the idxd driver is not loaded' : 'the idxd driver has found none'}`,
      "'iaa-zswap doctor' says what IAA needs here; --host model:spr-2s is a modelled machine that has it",
    );
    return;
  }
  if (cell.compressor === 'deflate-iaa-dynamic' && iaa.devices.every(({ iaaCap }) => iaaCap === undefined)) {
    planner.issue(
      dsaDevices,
      'deflate-iaa-dynamic needs devices with iaa_cap, and none has it',
      'use Granite Rapids or newer, or leave the compressor out',
    );
    return;
  }
  if (settings === undefined) {
    planner.issue(
      zswapParameter('compressor'),
      `${cell.compressor} is not registered: no WQ is bound to iaa_crypto`,
      "give the experiment a part 'iaa', which configures the devices",
    );
    return;
  }
  if (iaa.driverAttributes === undefined) {
    planner.issue(iaaDriverDirectory, 'iaa_crypto is not loaded', "'modprobe iaa_crypto'");
    return;
  }
  new IaaPlanner(planner, inventory, { ...iaa, driverAttributes: iaa.driverAttributes }, settings).plan(
    wordsOf(experiment, cell),
    take,
  );
}

/** Compressors that may stand in, those of the experiment first. */
function wordsOf(experiment: Experiment, cell: Cell): string[] {
  return [...experiment.matrix.compressor, ...standIns].filter(
    (name) => name !== cell.compressor && !isIaaCompressor(name),
  );
}

/** An attribute with the value that it is to have. */
interface Wanted {
  readonly id: string;
  readonly path: HostPath;
  readonly codec: CodecName;
  readonly value: string;
}

class IaaPlanner {
  readonly #planner: Planner;
  readonly #inventory: Inventory;
  readonly #iaa: NonNullable<Inventory['iaa']> & {
    readonly driverAttributes: Readonly<Record<string, string>>;
  };
  readonly #settings: IaaSettings;

  constructor(
    planner: Planner,
    inventory: Inventory,
    iaa: NonNullable<Inventory['iaa']> & { readonly driverAttributes: Readonly<Record<string, string>> },
    settings: IaaSettings,
  ) {
    this.#planner = planner;
    this.#inventory = inventory;
    this.#iaa = iaa;
    this.#settings = settings;
  }

  plan(compressors: readonly string[], take: boolean): void {
    const issuesBefore = this.#planner.issues.length;
    if (this.#settings.backend === 'libaccel-config' && this.#inventory.host !== 'live') {
      this.#planner.issue(
        'iaa.backend',
        `libaccel-config works on the running machine alone, and this is ${this.#inventory.host}`,
        'leave iaa.backend out: sysfs does the same',
      );
    }
    const devices = this.#chosen();
    const wanted = new Map(devices.map((device) => [device.name, this.#wantedOf(device)]));
    const driver = this.#wantedOfDriver();
    if (this.#planner.issues.length > issuesBefore) return;

    const bound = this.#iaa.wqs.filter((wq) => wq.driver === iaaDriver);
    const differs = driver.some((attribute) => !this.#holds(attribute));
    const isWanted = (name: string): boolean => wanted.has(name);
    const hasBound = (name: string): boolean => bound.some((wq) => wq.device === name);
    const touched = this.#iaa.devices.filter(({ name }) =>
      isWanted(name)
        ? !this.#matches(name, wanted.get(name) ?? []) || (differs && hasBound(name))
        : hasBound(name),
    );
    const stays = bound.filter((wq) => !touched.some(({ name }) => name === wq.device));
    // Once registered the algorithm is there until the module goes: without a bound WQ, binding one fails with EEXIST.
    const reload = differs || (stays.length === 0 && this.#isRegistered());
    for (const device of touched) this.#refuseForeign(device, isWanted(device.name), take);
    if (this.#planner.issues.length > issuesBefore) return;

    if (touched.length > 0 || reload) this.#leave(compressors);
    // Descending, so that restore, which goes backwards, binds in ascending order.
    for (const device of touched.toReversed()) this.#takeDown(device, isWanted(device.name));
    if (reload) this.#reload();
    for (const attribute of reload ? this.#allOfDriver(driver) : driver) {
      this.#set(attribute, reload ? iaaModule : undefined);
    }
    const up = touched.filter(({ name }) => isWanted(name));
    const by = doneBy(this.#settings);
    for (const { name } of up) {
      for (const attribute of wanted.get(name) ?? []) this.#set(attribute, name);
      this.#planner.steps.push(bindStep(name, name, 'idxd', by));
    }
    for (const { name } of up) {
      for (const wq of this.#wqsToBind(name)) this.#planner.steps.push(bindStep(wq, name, iaaDriver, by));
    }
    for (const { name } of devices.filter((device) => !touched.includes(device))) {
      for (const attribute of wanted.get(name) ?? []) this.#set(attribute, name);
      for (const wq of this.#wqsToBind(name)) this.#planner.already.push(bindStep(wq, name, iaaDriver, by));
    }
    this.#warnOfOrder(stays, up);
  }

  /** The devices that the experiment means, by ascending number. */
  #chosen(): IdxdDevice[] {
    const { devices: names, devices_per_package: perPackage } = this.#settings;
    const { devices } = this.#iaa;
    if (names !== undefined) {
      for (const name of names.filter((each) => !devices.some((device) => device.name === each))) {
        this.#planner.issue(
          'iaa.devices',
          `there is no ${name} here`,
          `name some of ${devices.map((device) => device.name).join(', ')}`,
        );
      }
      return devices.filter((device) => names.includes(device.name));
    }
    if (perPackage === undefined) return [...devices];
    const nowhere = devices.find(({ packageId }) => packageId === undefined);
    if (nowhere !== undefined) {
      this.#planner.issue(
        'iaa.devices_per_package',
        `the kernel does not say in which package ${nowhere.name} is (numa_node ${nowhere.numaNode})`,
        'name the devices in iaa.devices',
      );
      return [];
    }
    const packages = [...new Set(Object.values(this.#inventory.cpu.packageOf))].sort((a, b) => a - b);
    return devices.filter(({ name }) =>
      packages.some((id) => {
        const inside = devices.filter(({ packageId }) => packageId === id);
        const chosen = inside.slice(0, perPackage);
        if (chosen.length < perPackage && inside[0]?.name === name) {
          this.#planner.issue(
            'iaa.devices_per_package',
            `package ${id} has ${inside.length} IAA devices, not ${perPackage}`,
            'a smaller number, or name the devices in iaa.devices',
          );
        }
        return chosen.some((device) => device.name === name);
      }),
    );
  }

  /** What a device's WQs, groups and engines are to be, in the order of writing. */
  #wantedOf(device: IdxdDevice): Wanted[] {
    const { name } = device;
    const { wqs: settings } = this.#settings;
    if (settings === undefined) return this.#asFound(name);
    const wqs = this.#iaa.wqs.filter((wq) => wq.device === name);
    const engines = this.#iaa.engines.filter((engine) => engine.device === name);
    const groups = this.#settings.groups ?? [{}];
    this.#checkRoom(device, settings, wqs.length, groups.length);
    const wanted: Wanted[] = [];
    const add = (
      child: string,
      attribute: string,
      codec: CodecName,
      value: string | number | boolean,
    ): void => {
      const text = typeof value === 'boolean' ? codecs.oneZero.format(value) : String(value);
      wanted.push({
        id: `${child}.${attribute}`,
        path: idxdChildAttribute(name, child, attribute),
        codec,
        value: text,
      });
    };
    const groupOf = new Map<number, number>();
    for (const [index, { engines: list }] of groups.entries()) {
      const numbers =
        list === undefined ? engines.map((_, number) => number) : parseCpuList(list, 'iaa.groups.engines');
      for (const number of numbers) {
        if (number >= engines.length || groupOf.has(number)) {
          this.#planner.issue(
            'iaa.groups',
            number >= engines.length
              ? `${name} has no engine ${number}`
              : `engine ${number} is in more than one group`,
            `engines 0 to ${engines.length - 1}, each in one group`,
          );
        }
        groupOf.set(number, index);
      }
    }
    for (const [number, engine] of engines.entries()) {
      add(engine.name, 'group_id', 'decimal', groupOf.get(number) ?? -1);
    }
    for (const [index, { engines: _, ...attributes }] of groups.entries()) {
      const group = this.#iaa.groups.filter((each) => each.device === name)[index]?.name;
      for (const [attribute, value] of Object.entries(attributes)) {
        if (group !== undefined && value !== undefined) add(group, attribute, 'decimal', value);
      }
    }
    // WQs without a part in it give their entries back first: the sum of all may never pass the device's.
    for (const wq of wqs.slice(settings.length)) add(wq.name, 'size', 'decimal', 0);
    for (const [index, { size, ...rest }] of settings.entries()) {
      const wq = wqs[index];
      if (wq === undefined) continue;
      add(wq.name, 'mode', 'text', rest.mode);
      add(wq.name, 'size', 'decimal', size);
      add(wq.name, 'group_id', 'decimal', rest.group_id);
      add(wq.name, 'priority', 'decimal', rest.priority);
      add(wq.name, 'type', 'text', 'kernel');
      add(wq.name, 'name', 'text', rest.name);
      add(wq.name, 'driver_name', 'text', iaaDriver);
      if (rest.threshold !== undefined) add(wq.name, 'threshold', 'decimal', rest.threshold);
      if (rest.max_transfer_size !== undefined)
        add(wq.name, 'max_transfer_size', 'decimal', rest.max_transfer_size);
      if (rest.prs_disable !== undefined) add(wq.name, 'prs_disable', 'oneZero', rest.prs_disable);
      if (rest.block_on_fault !== undefined) add(wq.name, 'block_on_fault', 'oneZero', rest.block_on_fault);
      if (rest.ats_disable !== undefined) add(wq.name, 'ats_disable', 'oneZero', rest.ats_disable);
    }
    for (const { id, path } of wanted.filter((each) => !this.#planner.offers(each.path))) {
      this.#planner.issue(path, `this device or kernel does not offer ${id}`, 'remove the key');
    }
    return wanted;
  }

  /** The configuration of a device as it is now, where it is one for the driver. */
  #asFound(device: string): Wanted[] {
    if (this.#readyWqs(device).length === 0) {
      this.#planner.issue(
        'iaa.wqs',
        `${device} has no WQ that is configured for the driver (type kernel, driver_name ${iaaDriver})`,
        'say in iaa.wqs how the WQs are to be',
      );
    }
    return deviceSettings(this.#iaa, device).flatMap(({ path, codec }) => {
      const text = this.#inventory.attributes[path];
      const id = path.slice(`${dsaDevices}/${device}/`.length).replace('/', '.');
      return text === undefined ? [] : [{ id, path, codec, value: chomp(text) }];
    });
  }

  #checkRoom(
    device: IdxdDevice,
    settings: readonly WorkQueueSettings[],
    wqCount: number,
    groupCount: number,
  ): void {
    const total = settings.reduce((sum, { size }) => sum + size, 0);
    const { name, maxWorkQueuesSize: entries, maxGroups, configurable } = device;
    if (settings.length > wqCount) {
      this.#planner.issue('iaa.wqs', `${name} has ${wqCount} WQs, not ${settings.length}`, 'fewer WQs');
    }
    if (entries !== undefined && total > entries) {
      this.#planner.issue(
        'iaa.wqs',
        `the WQs want ${total} entries, ${name} has ${entries}`,
        `sizes that add up to at most ${entries}`,
      );
    }
    if (maxGroups !== undefined && groupCount > maxGroups) {
      this.#planner.issue('iaa.groups', `${name} has ${maxGroups} groups, not ${groupCount}`, 'fewer groups');
    }
    if (configurable === false) {
      this.#planner.issue(
        `${dsaDevices}/${name}/configurable`,
        `${name} cannot be configured from here`,
        'leave iaa.wqs out and use it as it is',
      );
    }
  }

  #wantedOfDriver(): Wanted[] {
    return Object.entries(this.#settings.driver).flatMap(([name, value]) => {
      const id = `iaa.driver.${name}`;
      const path = iaaAttribute(name);
      // The planner says that it is missing, or leaves it out.
      if (!this.#planner.offers(path)) {
        this.#planner.set(id, path, 'text', String(value), asSaid);
        return [];
      }
      return [
        this.#ofDriver(name, typeof value === 'boolean' ? codecs.oneZero.format(value) : String(value)),
      ];
    });
  }

  #ofDriver(name: string, value: string): Wanted {
    return {
      id: `iaa.driver.${name}`,
      path: iaaAttribute(name),
      codec: iaaDriverSettings[name] ?? 'text',
      value,
    };
  }

  /** All of the driver's attributes: loading the module anew sets those that nobody names to its own values, too. */
  #allOfDriver(wanted: readonly Wanted[]): Wanted[] {
    return Object.entries(this.#iaa.driverAttributes).map(
      ([name, text]) => wanted.find(({ path }) => path === iaaAttribute(name)) ?? this.#ofDriver(name, text),
    );
  }

  #holds({ path, codec, value }: Wanted): boolean {
    const text = this.#inventory.attributes[path];
    if (text === undefined) return false;
    return this.#planner.holds({ codec, value, ...this.#planner.keptSilently(path, value) }, text);
  }

  #matches(device: string, wanted: readonly Wanted[]): boolean {
    const state = this.#iaa.devices.find(({ name }) => name === device);
    const bound = this.#iaa.wqs.filter((wq) => wq.device === device && wq.driver !== undefined);
    const names = this.#wqsToBind(device);
    return (
      state?.driver === 'idxd' &&
      bound.length === names.length &&
      bound.every(({ name, driver }) => driver === iaaDriver && names.includes(name)) &&
      wanted.every((attribute) => this.#holds(attribute))
    );
  }

  #readyWqs(device: string): string[] {
    return this.#iaa.wqs
      .filter(
        (wq) =>
          wq.device === device &&
          wq.type === 'kernel' &&
          wq.driverName?.startsWith(iaaDriver) === true &&
          (wq.size ?? 0) > 0,
      )
      .map(({ name }) => name);
  }

  /** The WQs that the driver is to have of a device, ascending. */
  #wqsToBind(device: string): string[] {
    const { wqs } = this.#settings;
    if (wqs === undefined) return this.#readyWqs(device);
    return this.#iaa.wqs
      .filter((wq) => wq.device === device)
      .slice(0, wqs.length)
      .map(({ name }) => name);
  }

  #isRegistered(): boolean {
    return this.#inventory.compressors?.some(({ module }) => module === iaaModule) ?? false;
  }

  /** A device that somebody else uses is not ours to take down, unless the file names it and --take is given. */
  #refuseForeign(device: IdxdDevice, isWanted: boolean, take: boolean): void {
    const named = this.#settings.devices?.includes(device.name) ?? false;
    for (const wq of this.#iaa.wqs.filter((each) => each.device === device.name)) {
      const use = foreignUse(wq);
      // Of a device that is only to lose its WQs of iaa_crypto, the other WQs stay.
      if (use === undefined || !isWanted || (named && take)) continue;
      this.#planner.issue(
        `${dsaDevices}/${device.name}/${wq.name}`,
        `${wq.name} ${use}: somebody else uses ${device.name}`,
        named
          ? 'end that use, or give --take to unbind it all the same (and bind it again at the end)'
          : 'end that use; or name the devices in iaa.devices and give --take',
      );
    }
  }

  /** zswap goes to another compressor, and nobody holds the algorithm any more. */
  #leave(compressors: readonly string[]): void {
    const registered = this.#inventory.compressors ?? [];
    const inUse = registered.filter(({ module, refcnt }) => module === iaaModule && refcnt > 1);
    if (inUse.length === 0) return;
    const pages = this.#inventory.zswap?.debugfs?.['stored_pages'] ?? 0;
    if (pages > 0) {
      this.#planner.issue(
        zswapParameter('compressor'),
        `${inUse.map(({ driver }) => driver).join(', ')} is in use and ${pages} pages are stored in zswap; their owners would die with its WQs`,
        "end what owns them ('iaa-zswap doctor --shared' lists the cgroups), or swapoff and swapon each swap area",
      );
      return;
    }
    const current = this.#planner.textOf(zswapParameter('compressor'));
    if (current !== undefined && compressorNamed(registered, chomp(current))?.module === iaaModule) {
      const standIn =
        compressors.find((name) => compressorNamed(registered, name) !== undefined) ??
        compressors[0] ??
        'lzo';
      const oneWay =
        compressorNamed(registered, standIn) === undefined
          ? `the kernel loads the module of ${standIn}, which stays loaded`
          : undefined;
      this.#planner.set(
        'zswap.compressor:meanwhile',
        zswapParameter('compressor'),
        'text',
        standIn,
        'while IAA is taken down zswap must not use it',
        oneWay,
      );
    }
    this.#planner.steps.push({
      kind: 'drain',
      id: 'iaa.drain',
      affects: 'machine',
      why: 'the kernel would unbind a WQ that zswap still needs, and the owners of its pages would die',
    });
  }

  #takeDown(device: IdxdDevice, isWanted: boolean): void {
    const bound = this.#iaa.wqs.filter((wq) => wq.device === device.name && wq.driver !== undefined);
    const down = isWanted ? bound : bound.filter((wq) => wq.driver === iaaDriver);
    this.#planner.steps.push({
      kind: 'device',
      id: `${device.name}.down`,
      device: device.name,
      path: hostPath(dsaDevices, device.name),
      wqs: down.toReversed().map(({ name, driver = '' }) => ({ name, driver })),
      unbindDevice: isWanted && device.driver !== undefined,
      ...doneBy(this.#settings),
      attributes: deviceSettings(this.#iaa, device.name).filter(
        ({ path }) => this.#inventory.attributes[path] !== undefined,
      ),
      affects: 'machine',
      why: isWanted ? 'a device is configured while it is disabled' : 'the experiment leaves this device out',
    });
  }

  #reload(): void {
    this.#planner.steps.push({
      kind: 'module',
      id: `${iaaModule}.reload`,
      module: iaaModule,
      path: iaaDriverDirectory,
      attributes: Object.keys(this.#iaa.driverAttributes).map((name) => ({
        path: iaaAttribute(name),
        codec: iaaDriverSettings[name] ?? 'text',
      })),
      affects: 'machine',
      why: 'its algorithm is registered once, with the attributes of that moment',
    });
  }

  /** `owner` remembers the attribute; without one, or where it holds already, it is as any other attribute. */
  #set({ id, path, codec, value }: Wanted, owner: string | undefined): void {
    const touched = owner !== undefined && this.#planner.steps.some((step) => ownerOf(step) === owner);
    if (!touched) {
      this.#planner.set(id, path, codec, value, asSaid);
      return;
    }
    const step: AttributeStep = {
      kind: 'attribute',
      id,
      path,
      codec,
      value,
      was: undefined,
      of: owner,
      affects: 'machine',
      why: asSaid,
      ...this.#planner.kept(id, path, value),
    };
    this.#planner.steps.push(step);
  }

  /** The driver maps CPUs to devices in the order of their first binds. */
  #warnOfOrder(stays: readonly IdxdWq[], up: readonly IdxdDevice[]): void {
    const number = (device: string): number => Number(device.slice(3));
    const last = Math.max(-1, ...stays.map((wq) => number(wq.device)));
    const late = up.filter(({ name }) => number(name) < last);
    if (late.length === 0) return;
    this.#planner.warnings.push(
      `${late.map(({ name }) => name).join(', ')} is bound after devices with higher numbers that stay: the driver maps CPUs to devices in that order ('iaa-zswap topology' shows it)`,
    );
  }
}

function ownerOf(step: {
  readonly kind: string;
  readonly device?: string;
  readonly module?: string;
}): string | undefined {
  if (step.kind === 'device') return step.device;
  return step.kind === 'module' ? step.module : undefined;
}

/** How somebody else uses a WQ; undefined when nobody does, or iaa_crypto. */
function foreignUse(wq: IdxdWq): string | undefined {
  if (wq.driver !== undefined && wq.driver !== iaaDriver) return `is bound to ${wq.driver}`;
  // iaa_crypto counts itself as a client of its own WQs.
  if (wq.driver === undefined && (wq.clients ?? 0) > 0) return `has ${wq.clients} clients`;
  if (wq.type === 'user') return 'is of type user';
  const name = wq.driverName ?? '';
  return name === '' || name.startsWith(iaaDriver) ? undefined : `is meant for driver ${name}`;
}

/** The part of a step that says by what it is done, where that is not sysfs. */
function doneBy({ backend }: IaaSettings): Pick<BindStep, 'by'> {
  return backend === 'libaccel-config' ? { by: backend } : {};
}

function bindStep(name: string, device: string, driver: string, by: Pick<BindStep, 'by'>): BindStep {
  return {
    ...by,
    kind: 'bind',
    id: `${name}.bind`,
    name,
    device,
    driver,
    path: dsaDriverFile(driver, 'bind'),
    affects: 'machine',
    why: asSaid,
  };
}
