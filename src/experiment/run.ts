import { join } from 'node:path';
import { apply, type Receipt } from '../apply/apply.js';
import type { Journal } from '../apply/journal.js';
import { type Restored, restore } from '../apply/restore.js';
import {
  type CellRecord,
  cellTexts,
  type Manifest,
  RecordWriter,
  recorded,
  recordVersion,
} from '../collect/record.js';
import { type Snapshot, snapshotPaths, takeSnapshot } from '../collect/snapshot.js';
import { discover } from '../discover/discover.js';
import type { Inventory } from '../discover/inventory.js';
import { InterruptedError, isLabError, RequirementError } from '../errors.js';
import type { Host, WorkloadExit } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { parseFlatKeyed } from '../kernel/flat-keyed.js';
import { helperPath, packageVersion } from '../native/load.js';
import { type PlanOptions, plan } from '../plan/plan.js';
import type { Plan } from '../plan/steps.js';
import { runWorkload } from '../run/workload.js';
import { buildCommit } from '../version.js';
import { type Cell, cellsOf } from './cells.js';
import { type Attributes, attributesOf, withJournal } from './journaled.js';
import type { Experiment } from './schema.js';

/** What happens during a run, as it happens. */
export type RunEvent =
  | {
      readonly type: 'cell';
      readonly cell: Cell;
      readonly of: number;
      readonly stage: 'apply' | 'run' | 'done';
    }
  | { readonly type: 'failure'; readonly cell: Cell; readonly message: string };

export interface RunOptions {
  /** Where journal, lock and records are kept. */
  readonly stateDirectory: string;
  /** The experiment's file, for the record. */
  readonly experimentFile: string;
  /** Abort with an InterruptedError: the workload is ended and the machine put back. */
  readonly signal?: AbortSignal | undefined;
  /** Unbind WQs that somebody else uses, on devices that the experiment names. */
  readonly take?: boolean;
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
  /** Exact versions for the record, as of the guest's packages. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** How a run ended. The machine is as before: otherwise runExperiment throws RestoreError. */
export interface RunOutcome {
  /** The record's folder. */
  readonly directory: string;
  readonly cellsFailed: number;
  readonly restored: Restored;
  /** Every machine-wide attribute that the plans name: read before and after, and equal. */
  readonly attributes: Attributes;
}

/** Plans every cell of an experiment. Throws PlanError before anything is touched. */
export function planAll(inventory: Inventory, experiment: Experiment, options: PlanOptions = {}): Plan[] {
  return cellsOf(experiment).map((cell) => plan(inventory, experiment, cell, options));
}

/**
 * Runs an experiment: for each cell plan, apply, run, collect; at the end, however it comes, restore. Throws
 * PlanError (nothing changed), FailedRestoredError or InterruptedError (restored), RestoreError (not restored).
 */
export async function runExperiment(
  host: Host,
  experiment: Experiment,
  options: RunOptions,
): Promise<RunOutcome> {
  if (host.name !== 'live')
    throw new RequirementError(`${host.name} cannot run workloads`, { hint: 'run on --host live' });
  const inventory = await discover(host);
  const attributes = attributesOf(planAll(inventory, experiment, planOptions(options)), inventory);
  const { result, restored } = await withJournal(
    host,
    options.stateDirectory,
    inventory,
    attributes,
    async (journal) => {
      const run = await Run.begin(host, experiment, inventory, journal, options);
      return run.all();
    },
  );
  return { ...result, restored, attributes };
}

function planOptions({ take = false }: RunOptions): PlanOptions {
  return { take };
}

/** One run of an experiment, between its journal's begin and end. */
class Run {
  readonly #host: Host;
  readonly #experiment: Experiment;
  readonly #journal: Journal;
  readonly #options: RunOptions;
  readonly #writer: RecordWriter;

  private constructor(
    host: Host,
    experiment: Experiment,
    journal: Journal,
    options: RunOptions,
    writer: RecordWriter,
  ) {
    this.#host = host;
    this.#experiment = experiment;
    this.#journal = journal;
    this.#options = options;
    this.#writer = writer;
  }

  static async begin(
    host: Host,
    experiment: Experiment,
    inventory: Inventory,
    journal: Journal,
    options: RunOptions,
  ): Promise<Run> {
    const startedAt = new Date().toISOString();
    const manifest: Manifest = {
      schemaVersion: recordVersion,
      id: `${startedAt.replaceAll(':', '').replace(/\.\d+Z$/, 'Z')}-${experiment.name}-${process.pid}`,
      startedAt,
      state: 'running',
      source: inventory.source,
      tool: { version: packageVersion(), commit: buildCommit },
      experimentFile: options.experimentFile,
      experiment: recorded(experiment),
      inventory,
      environment: options.environment ?? {},
    };
    const writer = await RecordWriter.create(join(options.stateDirectory, 'runs'), manifest);
    return new Run(host, experiment, journal, options, writer);
  }

  async all(): Promise<{ directory: string; cellsFailed: number }> {
    const cells = cellsOf(this.#experiment);
    let cellsFailed = 0;
    try {
      for (const cell of cells) {
        const event = (stage: 'apply' | 'run' | 'done') =>
          this.#options.onEvent?.({ type: 'cell', cell, of: cells.length, stage });
        event('apply');
        const failure = await this.#cell(cell, () => event('run'));
        if (failure !== undefined) {
          cellsFailed++;
          this.#options.onEvent?.({ type: 'failure', cell, message: failure });
        }
        event('done');
      }
      await this.#writer.finish('complete');
    } catch (error) {
      await this.#writer.finish(error instanceof InterruptedError ? 'interrupted' : 'failed');
      throw error;
    }
    return { directory: this.#writer.directory, cellsFailed };
  }

  /** Runs one cell and writes its record; gives the reason when its workload failed. A failed step ends the run. */
  async #cell(cell: Cell, onRun: () => void): Promise<string | undefined> {
    const { signal } = this.#options;
    const host = this.#host;
    const directory = await this.#writer.cellDirectory(cell);
    const logBegin = await lastLogTime(host);
    const cellPlan = plan(await discover(host), this.#experiment, cell, planOptions(this.#options));
    const argv = [helperPath('usemem'), ...cellPlan.workload.arguments];
    const receipts: Receipt[] = [];
    const raw: { before?: Snapshot; after?: Snapshot; fullest?: Snapshot; exit?: WorkloadExit } = {};
    let failure: unknown;
    try {
      await apply(host, cellPlan, this.#journal, { signal, onReceipt: (receipt) => receipts.push(receipt) });
      const paths = await snapshotPaths(host, cellPlan.cgroup);
      raw.before = await takeSnapshot(host, paths);
      onRun();
      const outputs = {
        stdoutFile: join(directory, cellTexts.stdout),
        stderrFile: join(directory, cellTexts.stderr),
      };
      const memoryStat = hostPath(cellPlan.cgroup, 'memory.stat');
      raw.exit = await runWorkload(host, { argv, ...outputs }, cellPlan.cgroup, {
        timeMs: this.#experiment.limits.time_s * 1000,
        noProgressMs: (this.#experiment.limits.no_progress_s + cellPlan.workload.sleepSeconds) * 1000,
        signal,
        lookPaths: paths.filter((path) => path === memoryStat || path.startsWith('/sys/kernel/debug/zswap/')),
        onLook: (snapshot) => {
          if (pagesIn(snapshot, memoryStat) >= pagesIn(raw.fullest, memoryStat)) raw.fullest = snapshot;
        },
      });
      raw.after = await takeSnapshot(host, paths);
    } catch (error) {
      failure = error;
    }
    const said = failure === undefined ? exitProblem(raw.exit) : messageOf(failure);
    const record: CellRecord = {
      cell,
      state: failure instanceof InterruptedError ? 'interrupted' : said === undefined ? 'complete' : 'failed',
      failure: said,
      plan: recorded(cellPlan),
      receipts,
      argv,
      exit: raw.exit && recorded(raw.exit),
      before: raw.before,
      after: raw.after,
      fullest: raw.fullest,
    };
    await this.#writer.writeCell(record, await logSince(host, logBegin));
    // Only a workload's own failure lets the other cells go on: a machine that refuses a step would refuse it again.
    if (failure !== undefined && !(isLabError(failure) && failure.code === 'ERR_WORKLOAD')) throw failure;
    const cleared = await restore(host, this.#journal, { only: 'run' });
    if (cleared.problems.length > 0)
      throw new Error(cleared.problems.map((problem) => `${problem.path}: ${problem.message}`).join('; '));
    return said;
  }
}

function pagesIn(snapshot: Snapshot | undefined, memoryStat: HostPath): bigint {
  const text = snapshot?.files[memoryStat];
  return text === undefined ? 0n : (parseFlatKeyed(text, memoryStat).get('zswapped') ?? 0n);
}

function exitProblem(exit: WorkloadExit | undefined): string | undefined {
  if (exit?.signal !== undefined) return `the workload was ended by ${exit.signal}`;
  return exit?.exitCode === 0 ? undefined : `the workload ended with exit code ${exit?.exitCode}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Seconds since boot of the kernel log's newest line. */
async function lastLogTime(host: Host): Promise<number> {
  const lines = await kernelLog(host);
  return Number(/^\[\s*(\d+\.\d+)\]/.exec(lines.at(-1) ?? '')?.[1] ?? 0);
}

async function logSince(host: Host, seconds: number): Promise<string> {
  const lines = await kernelLog(host);
  const newer = lines.filter((line) => Number(/^\[\s*(\d+\.\d+)\]/.exec(line)?.[1] ?? 0) > seconds);
  return newer.map((line) => `${line}\n`).join('');
}

/** The kernel log, or nothing where it cannot be read: an excerpt is good to have, never a reason to fail. */
async function kernelLog(host: Host): Promise<string[]> {
  try {
    const { exitCode, stdout } = await host.exec(['dmesg']);
    return exitCode === 0 ? stdout.split('\n').filter((line) => line !== '') : [];
  } catch {
    return [];
  }
}
