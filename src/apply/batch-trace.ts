/** A histogram of the batches that zswap compresses, for the time of one cell: set up by the journal, undone by restore. */
import { HostIoError } from '../errors.js';
import type { Host } from '../host/host.js';
import { findKernelSymbols } from '../host/kernel-symbols.js';
import { type HostPath, hostPath } from '../host/path.js';
import {
  type BatchProbe,
  batchProbes,
  probeEvents,
  probeLines,
  tracefsMounts,
  traceGroup,
} from '../kernel/tracefs.js';
import type { Journal } from './journal.js';

/** A trace under way. */
export interface BatchTrace {
  /** Functions that are traced. */
  readonly symbols: readonly string[];
  /** Those that this kernel has and that cannot be, with the reason. */
  readonly leftOut: readonly { readonly symbol: string; readonly why: string }[];
  /** The kernel's texts by function: histograms as parseBatchHistogram reads them. */
  read(): Promise<Readonly<Record<string, string>>>;
}

/** Why nothing can be traced. */
export interface NoBatchTrace {
  readonly absent: string;
}

/**
 * Sets up probes on those of batchProbes that this kernel has. What they are is in the journal before the first one
 * is made, as a change of the run; restore removes them. Nothing else of the machine's tracing is touched: files are
 * appended to, and all that is read is in an instance of our own. Throws HostIoError where the kernel refuses
 * halfway for a reason that is not the probe's.
 */
export async function startBatchTrace(host: Host, journal: Journal): Promise<BatchTrace | NoBatchTrace> {
  const tracefs = await findTracefs(host);
  if ('absent' in tracefs) return tracefs;
  const symbols = await findKernelSymbols(
    host,
    batchProbes.map(({ symbol }) => symbol),
  );
  const probes = batchProbes.filter(({ symbol }) => symbols?.has(symbol) ?? true);
  if (probes.length === 0) return { absent: 'this kernel has none of the functions that could be traced' };
  const { mount } = tracefs;
  const instance = hostPath(mount, 'instances', traceGroup);
  const leftOver = await isTracing(host, mount);
  if (leftOver !== undefined) return { absent: `${leftOver} is there already, and not by this run` };

  const sequence = journal.intend(
    { id: 'trace-batch', affects: 'run' },
    { kind: 'tracing', path: mount, probes: probes.map(({ name }) => name) },
  );
  await host.mkdir(instance);
  const made: BatchProbe[] = [];
  const leftOut: { symbol: string; why: string }[] = [];
  for (const probe of probes) {
    try {
      await makeProbe(host, mount, probe);
      made.push(probe);
    } catch (error) {
      if (!(error instanceof HostIoError)) throw error;
      leftOut.push({ symbol: probe.symbol, why: await whyNot(host, mount, error) });
    }
  }
  journal.done(sequence);
  if (made.length === 0) {
    const reasons = leftOut.map(({ symbol, why }) => `${symbol}: ${why}`);
    return { absent: `no function can be traced: ${reasons.join('; ')}` };
  }
  return {
    symbols: made.map(({ symbol }) => symbol),
    leftOut,
    async read() {
      const texts = await host.read(
        made.map(({ name }) => hostPath(instance, 'events', probeEvents(name).synthetic, 'hist')),
      );
      return Object.fromEntries(made.map(({ symbol }, index) => [symbol, texts[index] ?? '']));
    },
  };
}

async function findTracefs(host: Host): Promise<{ readonly mount: HostPath } | NoBatchTrace> {
  let why = `no tracefs is mounted ('mount -t tracefs none ${tracefsMounts[0]}')`;
  for (const mount of tracefsMounts) {
    let names: string[] | undefined;
    try {
      // On the way to something in it the kernel mounts the one below debugfs; on the way to itself it does not.
      await host.list(hostPath(mount, 'instances'));
      names = await host.list(mount);
    } catch (error) {
      if (!(error instanceof HostIoError)) throw error;
      why = `${mount} cannot be read: ${error.errnoCode}`;
      continue;
    }
    if (names === undefined || names.length === 0) continue;
    for (const [file, option] of [
      ['kprobe_events', 'CONFIG_KPROBE_EVENTS'],
      ['synthetic_events', 'CONFIG_SYNTH_EVENTS'],
      ['instances', 'instances'],
    ] as const) {
      if (!names.includes(file)) return { absent: `this kernel is built without ${option}` };
    }
    return { mount };
  }
  return { absent: why };
}

/** Something of our names that is there; undefined when nothing is. */
async function isTracing(host: Host, mount: HostPath): Promise<string | undefined> {
  for (const path of [hostPath(mount, 'instances', traceGroup), hostPath(mount, 'events', traceGroup)]) {
    if ((await host.list(path)) !== undefined) return path;
  }
  return undefined;
}

async function makeProbe(host: Host, mount: HostPath, probe: BatchProbe): Promise<void> {
  const lines = probeLines(probe);
  const events = probeEvents(probe.name);
  const trigger = (event: string): HostPath =>
    hostPath(mount, 'instances', traceGroup, 'events', event, 'trigger');
  const append = (path: HostPath, line: string): Promise<void> =>
    host.write(path, `${line}\n`, { append: true });
  await append(hostPath(mount, 'kprobe_events'), lines.begin);
  await append(hostPath(mount, 'kprobe_events'), lines.end);
  await append(hostPath(mount, 'synthetic_events'), lines.synthetic);
  await append(trigger(events.begin), lines.beginTrigger);
  await append(trigger(events.end), lines.endTrigger);
  await append(trigger(events.synthetic), lines.histogram);
}

/** The errno, and what tracefs's error_log says of the newest mistake, which is about what was written to this file. */
async function whyNot(host: Host, mount: HostPath, error: HostIoError): Promise<string> {
  const logs = error.path.includes('/instances/')
    ? [hostPath(mount, 'instances', traceGroup, 'error_log')]
    : [hostPath(mount, 'error_log')];
  const [log] = await host.probe(logs);
  const said = log?.ok === true ? [...log.text.matchAll(/ error: (.*)/g)].at(-1)?.[1] : undefined;
  return said === undefined ? error.errnoCode : `${error.errnoCode}: ${said}`;
}

/** Removes what startBatchTrace has made of it, be it all or a part. Gives what is left, if anything is. */
export async function undoBatchTrace(
  host: Host,
  mount: HostPath,
  probes: readonly string[],
): Promise<'nothing to do' | undefined | { readonly problem: string }> {
  if ((await isTracing(host, mount)) === undefined) return 'nothing to do';
  const instance = hostPath(mount, 'instances', traceGroup);
  // Triggers first: as long as one is there, its event and the instance are busy. Truncation removes them.
  for (const name of probes) {
    for (const event of Object.values(probeEvents(name))) {
      const trigger = hostPath(instance, 'events', event, 'trigger');
      if ((await host.tryRead([trigger]))[0] !== undefined) await host.write(trigger, '');
    }
  }
  if ((await host.list(instance)) !== undefined) await host.rmdir(instance);
  const [syntheticEvents, kprobeEvents] = [
    hostPath(mount, 'synthetic_events'),
    hostPath(mount, 'kprobe_events'),
  ];
  const [synthetic = '', kprobes = ''] = await host.read([syntheticEvents, kprobeEvents]);
  for (const name of probes) {
    if (new RegExp(`^${traceGroup}_${name}\\s`, 'm').test(synthetic)) {
      await host.write(syntheticEvents, `!${traceGroup}_${name}\n`, { append: true });
    }
    for (const event of [`${name}_in`, `${name}_out`]) {
      if (!new RegExp(`^[pr]\\d*:${traceGroup}/${event}\\s`, 'm').test(kprobes)) continue;
      await host.write(kprobeEvents, `-:${traceGroup}/${event}\n`, { append: true });
    }
  }
  const [after = ''] = await host.read([syntheticEvents]);
  const left = (await isTracing(host, mount)) ?? new RegExp(`^${traceGroup}_\\w+`, 'm').exec(after)?.[0];
  return left === undefined ? undefined : { problem: `${left} is still there` };
}
