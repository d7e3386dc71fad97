/** The helper programs that a machine of files can answer for: what they change, print and return. */
import type { ExecResult } from '../host.js';
import { loadModule, unloadModule } from './iaa-crypto.js';
import { dmesg } from './kernel-log.js';
import { swapOff, swapOn } from './swap.js';
import type { Draft, Errno } from './tree.js';
import { variantOf } from './variant.js';

type Program = (draft: Draft, parameters: readonly string[]) => ExecResult | undefined;

const done: ExecResult = { exitCode: 0, stdout: '', stderr: '' };

function failed(exitCode: number, line: string): ExecResult {
  return { exitCode, stdout: '', stderr: `${line}\n` };
}

/** strerror(3) of the errnos that the programs here print. */
const reasons: Readonly<Partial<Record<Errno, string>>> = {
  EBUSY: 'Device or resource busy',
  EINVAL: 'Invalid argument',
  ENODEV: 'No such device',
  ENOENT: 'No such file or directory',
  ENOMEM: 'Cannot allocate memory',
};

// Names are the same with - and _ (modprobe(8)).
const isOurs = (name: string | undefined): boolean => name?.replaceAll('-', '_') === 'iaa_crypto';

/** kmod's rmmod; `undefined` for modules whose removal is not known here. */
function rmmod(draft: Draft, parameters: readonly string[]): ExecResult | undefined {
  const [module, ...rest] = parameters;
  if (!isOurs(module) || rest.length > 0) return undefined;
  const errno = unloadModule(draft);
  if (errno === 'EAGAIN') return failed(1, `rmmod: ERROR: Module ${module} is in use`);
  if (errno === 'ENOENT') return failed(1, `rmmod: ERROR: Module ${module} is not currently loaded`);
  return done;
}

/** kmod's modprobe, without options for the module. */
function modprobe(draft: Draft, parameters: readonly string[]): ExecResult | undefined {
  const remove = parameters.includes('-r');
  const [module, ...rest] = parameters.filter((word) => word !== '-r');
  if (!isOurs(module) || rest.length > 0) {
    // Loaded already: nothing to do, whatever it is.
    return !remove && rest.length === 0 && draft.has(`/sys/module/${module}`) ? done : undefined;
  }
  if (remove) {
    const errno = unloadModule(draft);
    return errno === 'EAGAIN' ? failed(1, `modprobe: FATAL: Module ${module} is in use.`) : done;
  }
  const errno = loadModule(draft, variantOf(draft));
  const reason = errno && (reasons[errno] ?? errno);
  return reason === undefined ? done : failed(1, `modprobe: ERROR: could not insert '${module}': ${reason}`);
}

/** util-linux's swapon of one area, with -p. */
function swapon(draft: Draft, parameters: readonly string[]): ExecResult | undefined {
  const withPriority = parameters[0] === '-p' || parameters[0] === '--priority';
  const priority = withPriority ? Number(parameters[1]) : undefined;
  const [area, ...rest] = withPriority ? parameters.slice(2) : parameters;
  if (area === undefined || area.startsWith('-') || rest.length > 0 || Number.isNaN(priority))
    return undefined;
  const errno = swapOn(draft, area, priority);
  return errno === undefined
    ? done
    : failed(255, `swapon: ${area}: swapon failed: ${reasons[errno] ?? errno}`);
}

/** util-linux's swapoff of one area: 2 when memory is short, 4 for other failures. */
function swapoff(draft: Draft, parameters: readonly string[]): ExecResult | undefined {
  const [area, ...rest] = parameters;
  if (area === undefined || area.startsWith('-') || rest.length > 0) return undefined;
  const errno = swapOff(draft, area);
  if (errno === undefined) return done;
  const line = `swapoff: ${area}: swapoff failed: ${reasons[errno] ?? errno}`;
  return failed(errno === 'ENOMEM' ? 2 : 4, line);
}

const programs: Readonly<Record<string, Program>> = {
  dmesg: (draft, parameters) =>
    parameters.length === 0 ? { exitCode: 0, stdout: dmesg(draft), stderr: '' } : undefined,
  modprobe,
  rmmod,
  swapoff,
  swapon,
  // All is settled as soon as a reaction has ended.
  udevadm: (_draft, [verb]) => (verb === 'settle' ? done : undefined),
};

/** What a program does; `undefined` for one, or parameters of one, that cannot be answered for. */
export function runProgram(draft: Draft, argv: readonly string[]): ExecResult | undefined {
  const [program = '', ...parameters] = argv;
  const name = program.replace(/^(\/usr)?\/s?bin\//, '');
  return Object.hasOwn(programs, name) ? programs[name]?.(draft, parameters) : undefined;
}
