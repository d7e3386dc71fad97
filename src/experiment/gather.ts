/** All that is gathered while a workload runs, beside its own output and the two snapshots. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BatchTrace, type NoBatchTrace, startBatchTrace } from '../apply/batch-trace.js';
import type { Journal } from '../apply/journal.js';
import { counterSources } from '../collect/counters.js';
import { type SeriesEnd, SeriesRecorder } from '../collect/series.js';
import { perfCommand, RunningTools, type ToolOutcome, turbostatCommand } from '../collect/tools.js';
import { isLabError } from '../errors.js';
import type { Host } from '../host/host.js';
import type { HostPath } from '../host/path.js';
import type { CollectSettings } from './collect-schema.js';

/** Files of a cell's folder. */
export const gatheredFiles = {
  series: 'series',
  perf: 'perf.csv',
  turbostat: 'turbostat.txt',
  batches: (symbol: string): string => `trace-batch-${symbol}.txt`,
} as const;

export interface GatherOptions extends CollectSettings {
  readonly traceBatch: boolean;
}

/** What was gathered, and why what was asked for is not there; the numbers are in gatheredFiles. */
export interface Gathered {
  readonly series: SeriesEnd | { readonly absent: string };
  /** perf and turbostat, if asked for. */
  readonly tools: Readonly<Record<string, ToolOutcome>>;
  /** Functions that were traced, if asked for. */
  readonly batches:
    | undefined
    | NoBatchTrace
    | { readonly symbols: readonly string[]; readonly leftOut: BatchTrace['leftOut'] };
}

const defaultIntervalS = 1;

/** A gathering under way. What cannot be gathered is told at its end, and is no reason for a cell to fail. */
export class Gathering {
  readonly #directory: string;
  readonly #series: SeriesRecorder | { readonly absent: string };
  readonly #tools: RunningTools;
  readonly #batches: BatchTrace | NoBatchTrace | undefined;

  private constructor(
    directory: string,
    series: SeriesRecorder | { readonly absent: string },
    tools: RunningTools,
    batches: BatchTrace | NoBatchTrace | undefined,
  ) {
    this.#directory = directory;
    this.#series = series;
    this.#tools = tools;
    this.#batches = batches;
  }

  /** Begins with it, for a cell whose workload runs in `cgroup`; files go to `directory`. */
  static async begin(
    host: Host,
    cgroup: HostPath,
    directory: string,
    journal: Journal,
    { interval_s: intervalS = defaultIntervalS, perf, turbostat, traceBatch }: GatherOptions,
  ): Promise<Gathering> {
    const at = (file: string): string => join(directory, file);
    const batches = traceBatch
      ? await startBatchTrace(host, journal).catch((error) => ({ absent: reasonOf(error) }))
      : undefined;
    const tools = await RunningTools.start(host, [
      ...(perf === undefined
        ? []
        : [{ name: 'perf', argv: perfCommand(perf), outputFile: at(gatheredFiles.perf) }]),
      ...(turbostat === true
        ? [{ name: 'turbostat', argv: turbostatCommand(), outputFile: at(gatheredFiles.turbostat) }]
        : []),
    ]);
    let series: SeriesRecorder | { readonly absent: string };
    try {
      series = await SeriesRecorder.start(
        host,
        await counterSources(host, cgroup),
        at(gatheredFiles.series),
        {
          intervalNs: intervalS * 1e9,
        },
      );
    } catch (error) {
      series = { absent: reasonOf(error) };
    }
    return new Gathering(directory, series, tools, batches);
  }

  /** Ends it, whether or not the workload has ended well. Probes stay until the journal's change is undone. */
  async end(): Promise<Gathered> {
    const series = this.#series instanceof SeriesRecorder ? await this.#series.end() : this.#series;
    const tools = await this.#tools.stop();
    return { series, tools, batches: await this.#keepBatches() };
  }

  async #keepBatches(): Promise<Gathered['batches']> {
    const batches = this.#batches;
    if (batches === undefined || 'absent' in batches) return batches;
    try {
      for (const [symbol, text] of Object.entries(await batches.read())) {
        await writeFile(join(this.#directory, gatheredFiles.batches(symbol)), text, {
          flag: 'wx',
          mode: 0o644,
        });
      }
    } catch (error) {
      return { absent: reasonOf(error) };
    }
    const { symbols, leftOut } = batches;
    return { symbols, leftOut };
  }
}

/** A failure as one line; what is no failure of the machine or of a file is a mistake of ours. */
function reasonOf(error: unknown): string {
  if (isLabError(error)) return error.message;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  return message;
}
