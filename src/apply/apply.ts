import {
  ApplyError,
  CommandError,
  HostIoError,
  InterruptedError,
  RequirementError,
  StateError,
  VerifyError,
} from '../errors.js';
import { type AccelConfig, requireAccelConfig } from '../host/accel-config.js';
import { chomp, codecs } from '../host/codecs.js';
import type { Host } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { helperPath } from '../native/load.js';
import {
  type AttributeStep,
  type BindStep,
  type CgroupStep,
  type CheckStep,
  type ControllerStep,
  type DeviceStep,
  type DrainStep,
  type KeepStep,
  type ModuleStep,
  type Plan,
  type ScopeStep,
  type Step,
  type SwapStep,
  textAfter,
} from '../plan/steps.js';
import { bind, driverOf, readState, reloadModule, unbind } from './dsa-bus.js';
import type { Journal } from './journal.js';
import { awaitUnused } from './unused.js';

/** What became of one step. */
export interface Receipt {
  readonly stepId: string;
  readonly path: string | undefined;
  /** Text before and after, without newline; undefined where a step writes no attribute. */
  readonly from: string | undefined;
  readonly to: string | undefined;
  /** False when the machine was that way already. */
  readonly changed: boolean;
}

export interface ApplyOptions {
  /** Aborted with an InterruptedError as its reason: no further step begins. */
  readonly signal?: AbortSignal | undefined;
  readonly onReceipt?: ((receipt: Receipt) => void) | undefined;
  /** What steps by libaccel-config are done with; if not given, the library of the host's own machine. */
  readonly accelConfig?: AccelConfig;
}

/**
 * Makes a machine be as a plan says, step by step: journal, write, read back, compare. Throws ApplyError at the
 * first step that fails (InterruptedError when aborted) and undoes nothing: that is restore's work, from the journal.
 * Throws RequirementError, before the first step, when the plan wants libaccel-config and there is none.
 */
export async function apply(
  host: Host,
  plan: Plan,
  journal: Journal,
  options: ApplyOptions = {},
): Promise<Receipt[]> {
  const receipts: Receipt[] = [];
  const wanted = plan.steps.some((step) => 'by' in step && step.by === 'libaccel-config');
  const accelConfig = wanted ? (options.accelConfig ?? requireAccelConfig(host)) : undefined;
  for (const step of plan.steps) {
    options.signal?.throwIfAborted();
    try {
      const receipt = await applyStep(host, step, journal, accelConfig);
      receipts.push(receipt);
      options.onReceipt?.(receipt);
    } catch (cause) {
      if (cause instanceof InterruptedError) throw cause;
      throw new ApplyError(step.id, cause);
    }
  }
  return receipts;
}

function applyStep(
  host: Host,
  step: Step,
  journal: Journal,
  accelConfig: AccelConfig | undefined,
): Promise<Receipt> {
  switch (step.kind) {
    case 'attribute':
      return applyAttribute(host, step, journal);
    case 'keep':
      return applyKeep(host, step, journal);
    case 'controller':
      return applyController(host, step, journal);
    case 'cgroup':
      return applyCgroup(host, step, journal);
    case 'scope':
      return applyScope(host, step, journal);
    case 'check':
      return applyCheck(host, step);
    case 'device':
      return applyDevice(host, step, journal, accelConfig);
    case 'module':
      return applyModule(host, step, journal);
    case 'bind':
      return applyBind(host, step, journal, accelConfig);
    case 'drain':
      return applyDrain(host, step);
    case 'swap':
      return applySwap(host, step, journal);
  }
}

async function applyAttribute(host: Host, step: AttributeStep, journal: Journal): Promise<Receipt> {
  const { path, value } = step;
  const { parse } = codecs[step.codec];
  const wanted = parse(textAfter(step));
  const [old = ''] = await host.read([path]);
  const receipt = { stepId: step.id, path, from: chomp(old) };
  if (parse(old) === wanted) return { ...receipt, to: chomp(old), changed: false };
  // Inside a cgroup of ours an attribute needs no undo: it goes with the directory.
  const sequence =
    step.was === undefined && step.of === undefined
      ? undefined
      : journal.intend(step, {
          kind: 'attribute',
          path,
          codec: step.codec,
          old,
          value,
          oneWay: step.oneWay,
          of: step.of,
        });
  await host.write(
    path,
    `${value}
`,
  );
  const [now = ''] = await host.read([path]);
  if (sequence !== undefined) journal.done(sequence, { readBack: now });
  if (parse(now) !== wanted) throw new VerifyError({ path, expected: value, actual: chomp(now) });
  return { ...receipt, to: chomp(now), changed: true };
}

/** The kernel's later change has no moment of its own to be noted at: restore takes any other value for it. */
async function applyKeep(host: Host, step: KeepStep, journal: Journal): Promise<Receipt> {
  const { path, codec } = step;
  const [old = ''] = await host.read([path]);
  journal.intend(step, { kind: 'keep', path, codec, old });
  return { stepId: step.id, path, from: chomp(old), to: chomp(old), changed: false };
}

async function applyController(host: Host, step: ControllerStep, journal: Journal): Promise<Receipt> {
  const { path, controller } = step;
  const enabled = async () => (await host.read([path]))[0]?.trim().split(/\s+/).includes(controller) ?? false;
  const receipt = { stepId: step.id, path, from: undefined, to: `+${controller}` };
  if (await enabled()) return { ...receipt, changed: false };
  const sequence = journal.intend(step, { kind: 'controller', path, controller });
  await host.write(path, `+${controller}\n`);
  journal.done(sequence);
  if (!(await enabled())) throw new VerifyError({ path, expected: `+${controller}`, actual: 'without it' });
  return { ...receipt, changed: true };
}

async function applyCgroup(host: Host, step: CgroupStep, journal: Journal): Promise<Receipt> {
  const { path } = step;
  // The journal's word must mean "ours to remove": never for a directory that was there before.
  if ((await host.list(path)) !== undefined) throw leftOver(path);
  const sequence = journal.intend(step, { kind: 'cgroup', path });
  try {
    await host.mkdir(path);
  } catch (error) {
    if (error instanceof HostIoError && error.errnoCode === 'EEXIST') journal.undone(sequence);
    throw error;
  }
  journal.done(sequence);
  return { stepId: step.id, path, from: undefined, to: undefined, changed: true };
}

function leftOver(path: HostPath): StateError {
  return new StateError(`${path}: is there already, and not by this run`, {
    hint: `look what runs in it; if nothing does, 'rmdir ${path}'`,
  });
}

/**
 * The scope holds one idle process of ours, since an empty scope is removed at once. That process goes into a
 * child of its own: a cgroup that has processes cannot give controllers to its children.
 */
async function applyScope(host: Host, step: ScopeStep, journal: Journal): Promise<Receipt> {
  const { path, unit } = step;
  if ((await host.list(path)) !== undefined) throw leftOver(path);
  const sequence = journal.intend(step, { kind: 'scope', path, unit });
  const argv = [
    'systemd-run',
    '--scope',
    '--quiet',
    '--collect',
    `--unit=${unit}`,
    '--slice=system.slice',
    '--property=Delegate=yes',
    '--',
    helperPath('launch'),
    '--hold',
  ];
  const { exitCode, stderr } = await host.exec(argv);
  if (exitCode !== 0) throw new CommandError(argv, `exit code ${exitCode}: ${stderr.trim()}`);
  const [procs = ''] = await host.read([hostPath(path, 'cgroup.procs')]);
  const holder = hostPath(path, 'holder');
  await host.mkdir(holder);
  for (const pid of procs.split('\n').filter((line) => line !== '')) {
    await host.write(hostPath(holder, 'cgroup.procs'), `${pid}\n`);
  }
  journal.done(sequence);
  return { stepId: step.id, path, from: undefined, to: undefined, changed: true };
}

/**
 * zswap is set up when its debugfs directory is there (mm/zswap.c zswap_debugfs_init); where debugfs is not
 * mounted the kernel's log says so.
 */
async function applyCheck(host: Host, step: CheckStep): Promise<Receipt> {
  const receipt: Receipt = {
    stepId: step.id,
    path: undefined,
    from: undefined,
    to: undefined,
    changed: false,
  };
  if ((await host.list(hostPath('/sys/kernel/debug/zswap'))) !== undefined) return receipt;
  const { exitCode, stdout } = await host.exec(['dmesg']);
  if (exitCode === 0 && stdout.includes('zswap: loaded using pool')) return receipt;
  throw new RequirementError(`nothing says that zswap has a pool of ${step.compressor}`, {
    hint: 'mount debugfs on /sys/kernel/debug',
  });
}

/** Remembers a device, then unbinds what the plan knew to be bound of it; what came since is not ours to unbind. */
async function applyDevice(
  host: Host,
  step: DeviceStep,
  journal: Journal,
  accelConfig: AccelConfig | undefined,
): Promise<Receipt> {
  const { path, device } = step;
  const by = step.by === undefined ? undefined : accelConfig;
  const was = await readState(host, device, step.attributes);
  const expected = new Map(step.wqs.map(({ name, driver }) => [name, driver]));
  for (const [name, driver] of Object.entries(was.drivers)) {
    const leaves = name === device ? step.unbindDevice : expected.has(name);
    if (!leaves && name !== device && step.unbindDevice) {
      throw new StateError(`${name} was bound to ${driver} by somebody else since the plan was made`, {
        hint: 'plan again',
      });
    }
    if (leaves && name !== device && expected.get(name) !== driver) {
      throw new StateError(`${name} is bound to ${driver}, not to ${expected.get(name)} as planned`, {
        hint: 'plan again',
      });
    }
  }
  const sequence = journal.intend(step, { kind: 'device', path, device, was });
  for (const { name, driver } of step.wqs) {
    if (was.drivers[name] !== undefined) await unbind(host, name, driver, by);
  }
  const driver = was.drivers[device];
  if (step.unbindDevice && driver !== undefined) await unbind(host, device, driver, by);
  journal.done(sequence, { state: await readState(host, device, step.attributes) });
  return {
    stepId: step.id,
    path,
    from: undefined,
    to: undefined,
    changed: step.wqs.length > 0 || step.unbindDevice,
  };
}

async function applyModule(host: Host, step: ModuleStep, journal: Journal): Promise<Receipt> {
  const { path, module, attributes } = step;
  const was = await readState(host, undefined, attributes);
  const sequence = journal.intend(step, { kind: 'module', path, module, was });
  await reloadModule(host, []);
  journal.done(sequence, { state: await readState(host, undefined, attributes) });
  return { stepId: step.id, path, from: undefined, to: undefined, changed: true };
}

async function applyBind(
  host: Host,
  step: BindStep,
  journal: Journal,
  accelConfig: AccelConfig | undefined,
): Promise<Receipt> {
  const { path, name, device, driver } = step;
  const receipt = { stepId: step.id, path, from: undefined, to: driver };
  if ((await driverOf(host, name)) === driver) return { ...receipt, changed: false };
  const sequence = journal.intend(step, { kind: 'bind', path, name, device, driver });
  await bind(host, name, device, driver, step.by === undefined ? undefined : accelConfig);
  const remembered = journal.entries.findLast(
    ({ change, undone }) => change.kind === 'device' && change.device === device && !undone,
  );
  const attributes = remembered?.change.kind === 'device' ? remembered.change.was.attributes : [];
  journal.done(sequence, { state: await readState(host, device, attributes) });
  return { ...receipt, changed: true };
}

async function applyDrain(host: Host, step: DrainStep): Promise<Receipt> {
  await awaitUnused(host);
  return { stepId: step.id, path: undefined, from: undefined, to: undefined, changed: false };
}

async function applySwap(host: Host, step: SwapStep, journal: Journal): Promise<Receipt> {
  const { path, priority } = step;
  const sequence = journal.intend(step, { kind: 'swap', path });
  const argv = ['swapon', '-p', String(priority), path];
  const { exitCode, stderr } = await host.exec(argv);
  if (exitCode !== 0) {
    throw new CommandError(argv, `exit code ${exitCode}: ${stderr.trim()}`, {
      hint: `'mkswap ${path}' makes an area of it, and destroys what is on it`,
    });
  }
  journal.done(sequence);
  return { stepId: step.id, path, from: undefined, to: `priority ${priority}`, changed: true };
}
