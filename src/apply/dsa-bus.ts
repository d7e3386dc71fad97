/** Devices and WQs of the dsa bus: what they are now, binding, unbinding, setting a remembered state anew. */
import { AccelConfigError, CommandError, HostIoError, StateError } from '../errors.js';
import type { AccelConfig } from '../host/accel-config.js';
import { chomp, codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { hostPath } from '../host/path.js';
import { parseCommandStatus } from '../kernel/cmd-status.js';
import { iaaAttribute, iaaDriverDirectory, iaaDriverSettings, iaaModule } from '../kernel/iaa-crypto.js';
import { dsaDevices, dsaDriverFile, idxdDeviceAttribute } from '../kernel/idxd-device.js';
import { childrenOf } from '../kernel/idxd-wq.js';
import { parseProcCrypto, procCryptoPath } from '../kernel/proc-crypto.js';
import type { RememberedAttribute } from '../plan/steps.js';
import { awaitUnused } from './unused.js';

/** An attribute with its exact text. */
export interface AttributeText extends RememberedAttribute {
  readonly text: string;
}

/** All that restore needs to set a device or module anew. */
export interface RememberedState {
  readonly attributes: readonly AttributeText[];
  /** Driver by name of what is bound of the device: the device itself and its WQs. */
  readonly drivers: Readonly<Record<string, string>>;
}

/** Reads the attributes that are there, and who is bound; `device` undefined: only attributes. */
export async function readState(
  host: Host,
  device: string | undefined,
  attributes: readonly RememberedAttribute[],
): Promise<RememberedState> {
  const texts = await host.tryRead(attributes.map(({ path }) => path));
  const found = attributes.flatMap(({ path, codec }, index) => {
    const text = texts[index];
    return text === undefined ? [] : [{ path, codec, text }];
  });
  const drivers: Record<string, string> = {};
  if (device !== undefined) {
    const wqs = childrenOf('wq', (await host.list(hostPath(dsaDevices, device))) ?? []);
    for (const name of [device, ...wqs]) {
      const driver = await driverOf(host, name);
      if (driver !== undefined) drivers[name] = driver;
    }
  }
  return { attributes: found, drivers };
}

/** The driver that a device or WQ is bound to. */
export async function driverOf(host: Host, name: string): Promise<string | undefined> {
  const link = await host.readlink(hostPath(dsaDevices, name, 'driver'));
  return link?.split('/').at(-1);
}

/** How two states differ: for a person, empty when they do not. */
export function differences(from: RememberedState, to: RememberedState): string[] {
  const names = new Set([...Object.keys(from.drivers), ...Object.keys(to.drivers)]);
  const bound = [...names].flatMap((name) => {
    const [before, after] = [from.drivers[name], to.drivers[name]];
    return before === after ? [] : [`${name} ${after === undefined ? 'is unbound' : `is bound to ${after}`}`];
  });
  const texts = new Map(to.attributes.map(({ path, text }) => [path, text]));
  const changed = from.attributes.flatMap(({ path, text }) => {
    const now = texts.get(path);
    return now === text ? [] : [`${path} reads '${now === undefined ? 'nothing' : chomp(now)}'`];
  });
  return [...bound, ...changed];
}

/**
 * Binds a device or WQ, by sysfs or by libaccel-config where it is given; throws with what its device says of the
 * reason (cmd_status).
 */
export async function bind(
  host: Host,
  name: string,
  device: string,
  driver: string,
  accelConfig?: AccelConfig,
): Promise<void> {
  try {
    if (accelConfig === undefined) await host.write(dsaDriverFile(driver, 'bind'), `${name}\n`);
    else await accelConfig.enable(name);
  } catch (error) {
    if (!(error instanceof HostIoError || error instanceof AccelConfigError)) throw error;
    const path = idxdDeviceAttribute(device, 'cmd_status');
    const [status] = await host.tryRead([path]);
    const said = status === undefined ? undefined : parseCommandStatus(status, path);
    if (said === undefined || said.code === 0) throw error;
    throw new StateError(`${error.message}; ${path}: ${status?.trim()}: ${said.text}`, { cause: error });
  }
  const now = await driverOf(host, name);
  if (now !== driver) {
    throw new StateError(`${name} is bound to ${now ?? 'no driver'} after it was bound to ${driver}`);
  }
}

/** Unbinds a device or WQ, once nobody uses what iaa_crypto has registered, as bind does. Throws InUseError. */
export async function unbind(
  host: Host,
  name: string,
  driver: string,
  accelConfig?: AccelConfig,
): Promise<void> {
  await awaitUnused(host);
  if (accelConfig === undefined) await host.write(dsaDriverFile(driver, 'unbind'), `${name}\n`);
  else await accelConfig.disable(name);
  const now = await driverOf(host, name);
  if (now !== undefined) throw new StateError(`${name} is bound to ${now} after it was unbound`);
}

/** Sets attributes that do not read as remembered, in the order given. */
async function setAttributes(host: Host, attributes: readonly AttributeText[]): Promise<void> {
  for (const { path, codec, text } of attributes) {
    const [now] = await host.tryRead([path]);
    if (now === undefined || now === text) continue;
    if (path.endsWith('/threshold') && Number(text) === 0) {
      // The kernel refuses 0; a change of mode sets it.
      const mode = hostPath(path.replace(/threshold$/, 'mode'));
      await host.write(mode, 'dedicated\n');
      await host.write(mode, 'shared\n');
      continue;
    }
    const { parse, format } = codecs[codec] as (typeof codecs)['text'];
    await host.write(path, `${format(parse(text))}\n`);
  }
}

/** Only a disabled device takes these (drivers/dma/idxd/sysfs.c). */
const whileDisabled = /\/(?:size|event_log_size|traffic_class_[ab])$/;

/** Unbinds of a device what was not bound or is in the way, and sets its attributes as they were. Throws where the kernel refuses. */
export async function configureAsWas(host: Host, device: string, was: RememberedState): Promise<void> {
  const now = await readState(host, device, was.attributes);
  const wrong = was.attributes.filter(
    ({ path, text }) => now.attributes.find((each) => each.path === path)?.text !== text,
  );
  const wqs = Object.entries(now.drivers).filter(([name]) => name !== device);
  for (const [name, driver] of wqs.reverse()) {
    const inWrong = wrong.some(({ path }) => path.includes(`/${name}/`));
    if (was.drivers[name] !== driver || inWrong) await unbind(host, name, driver);
  }
  const bound = now.drivers[device];
  if (
    bound !== undefined &&
    (was.drivers[device] === undefined || wrong.some(({ path }) => whileDisabled.test(path)))
  ) {
    await unbind(host, device, bound);
  }
  await setAttributes(host, shrinkFirst(was.attributes, now.attributes));
}

/** Binds a device and its WQs as they were, in ascending order. Throws where the kernel refuses. */
export async function bindAsWas(host: Host, device: string, was: RememberedState): Promise<void> {
  for (const [name, driver] of Object.entries(was.drivers)) {
    if ((await driverOf(host, name)) === undefined) await bind(host, name, device, driver);
  }
}

/** WQs that are to get fewer entries give them back first: the sum of all may never pass the device's. */
function shrinkFirst(
  wanted: readonly AttributeText[],
  now: readonly AttributeText[],
): readonly AttributeText[] {
  const shrinks = ({ path, text }: AttributeText): boolean =>
    path.endsWith('/size') && Number(text) < Number(now.find((each) => each.path === path)?.text);
  return [...wanted.filter(shrinks), ...wanted.filter((each) => !shrinks(each))];
}

/** Loads iaa_crypto anew and sets its attributes. Throws InUseError, CommandError. */
export async function reloadModule(host: Host, attributes: readonly AttributeText[]): Promise<void> {
  // udev loads the module again by its alias (idxd:t0*) at any event of the bus: none may be under way.
  await settle(host);
  if ((await host.list(iaaDriverDirectory)) !== undefined) {
    await awaitUnused(host);
    await command(host, ['rmmod', iaaModule]);
  }
  await command(host, ['modprobe', iaaModule]);
  await settle(host);
  await setAttributes(host, attributes);
}

async function command(host: Host, argv: readonly string[]): Promise<void> {
  const { exitCode, stderr } = await host.exec(argv);
  if (exitCode !== 0) throw new CommandError(argv, `exit code ${exitCode}: ${stderr.trim()}`);
}

/** Waits until udev has worked off its events; where none runs, nobody loads modules behind our back. */
async function settle(host: Host): Promise<void> {
  try {
    await host.exec(['udevadm', 'settle', '--timeout=30']);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
  }
}

/**
 * Whether iaa_crypto has an algorithm registered and no WQ: it registers at the first WQ and takes back when the
 * module goes, so that until then no first WQ can be bound again (EEXIST; kernel.md 3).
 */
export async function needsReload(host: Host): Promise<boolean> {
  const [text] = await host.tryRead([procCryptoPath]);
  if (text === undefined || !parseProcCrypto(text).some(({ module }) => module === iaaModule)) return false;
  return !((await host.list(iaaDriverDirectory)) ?? []).some((name) => /^wq\d+\.\d+$/.test(name));
}

/** The attributes of iaa_crypto that are there, with their texts. */
export async function readDriverState(host: Host): Promise<RememberedState> {
  const attributes = Object.entries(iaaDriverSettings).map(([name, codec]) => ({
    path: iaaAttribute(name),
    codec,
  }));
  return readState(host, undefined, attributes);
}
