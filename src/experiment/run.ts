import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { apply, type Receipt } from '../apply/apply.js';
import type { Journal } from '../apply/journal.js';
import { type Restored, restore } from '../apply/restore.js';
import { lastLogTime, logSince } from '../collect/kernel-log.js';
import {
  type CellRecord,
  cellTexts,
  listRecords,
  RecordWriter,
  type RunRecord,
  readRecord,
  recorded,
  recordVersion,
  type Session,
} from '../collect/record.js';
import { type Snapshot, snapshotPaths, takeSnapshot } from '../collect/snapshot.js';
import { discover } from '../discover/discover.js';
import type { Inventory } from '../discover/inventory.js';
import { InterruptedError, isLabError, RequirementError, UsageError } from '../errors.js';
import type { Host, WorkloadExit } from '../host/host.js';
import { type HostPath, hostPath } from '../host/path.js';
import { parseFlatKeyed } from '../kernel/flat-keyed.js';
import { packageVersion } from '../native/load.js';
import { type PlanOptions, plan } from '../plan/plan.js';
import type { Plan } from '../plan/steps.js';
import type { Argv, WorkloadTask } from '../plan/workload-task.js';
import { exitProblem, runHooks } from '../run/hooks.js';
import { runWorkload } from '../run/workload.js';
import { buildCommit } from '../version.js';
import { aaAxis, type Cell, cellsOf, experimentOf, pointsIn } from './cells.js';
import { Gathering } from './gather.js';
import { interruption } from './interruption.js';
import { type Attributes, attributesOf, withJournal } from './journaled.js';
import { bootFor, experimentOn, modelRun } from './modelled.js';
import { type RestoreOutcome, restoreHost } from './restore-host.js';
import type { Experiment } from './schema.js';
import { type InvokingUser, invokingUser, programArgv, refuseWorkloads } from './workload-user.js';

/** What happens during a run, as it happens. */
export type RunEvent =
  | {
      readonly type: 'cell';
      readonly cell: Cell;
      /** How many cells there are. */
      readonly of: number;
      readonly stage: 'cool down' | 'apply' | 'run' | 'done';
    }
  | { readonly type: 'failure'; readonly cell: Cell; readonly message: string }
  /** What a run that had died left was put back, before this one goes on. */
  | { readonly type: 'restored'; readonly outcome: RestoreOutcome }
  /** Who runs workloads that name nobody. */
  | ({ readonly type: 'user' } & InvokingUser)
  /** A modelled machine has booted another kernel. */
  | { readonly type: 'booted'; readonly kernel: string }
  /** An earlier run's record is gone on with: so many of its cells are finished. */
  | { readonly type: 'resumed'; readonly directory: string; readonly finished: number; readonly of: number };

export interface RunOptions {
  /** Where journal, lock and records are kept. */
  readonly stateDirectory: string;
  /** The experiment's file, for the record. */
  readonly experimentFile: string;
  /** Aborts: the workload is ended, the machine put back, and an InterruptedError thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Unbind WQs that somebody else uses, on devices that the experiment names. */
  readonly take?: boolean;
  /** Put back what a run that died has left, and go on with the newest record of this experiment, if there is one; when it is complete nothing is run. */
  readonly resume?: boolean;
  /** Measure every point twice as if there were two of it, A and B: how they differ is this machine's noise. */
  readonly aa?: boolean;
  /** Count how many pages zswap compresses at once, and how long a page takes, by probes on the kernel's functions. */
  readonly traceBatch?: boolean;
  readonly onEvent?: ((event: RunEvent) => void) | undefined;
  /** Exact versions for the record, as of the guest's packages. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** How a run ended. The machine is as before: otherwise runExperiment throws RestoreError. */
export interface RunOutcome {
  /** The record's folder. */
  readonly directory: string;
  /** Of this session. */
  readonly cellsFailed: number;
  /** Names of the kernels that cells are left for. */
  readonly waiting: readonly string[];
  readonly restored: Restored;
  /** Every machine-wide attribute that the plans name: read before and after, and equal. */
  readonly attributes: Attributes;
}

/** Plans every point of an experiment that this kernel is for. Throws PlanError, RequirementError, before anything is touched. */
export function planAll(inventory: Inventory, experiment: Experiment, options: PlanOptions = {}): Plan[] {
  return planPoints(inventory, experiment, cellsHere(inventory, experiment), options);
}

function planPoints(
  inventory: Inventory,
  experiment: Experiment,
  cells: readonly Cell[],
  options: PlanOptions,
): Plan[] {
  return pointsIn(cells).map((cell) => plan(inventory, experiment, cell, options));
}

/** The cells that the running kernel is for. Throws RequirementError when it is none of the experiment's. */
function cellsHere({ kernel }: Inventory, experiment: Experiment): Cell[] {
  const kernels = experiment.matrix.kernel;
  if (kernels === undefined) return cellsOf(experiment);
  const running = kernels.find(({ release }) => release === kernel.release);
  if (running === undefined) {
    throw new RequirementError(
      `this kernel, ${kernel.release ?? 'unknown'}, is none of the experiment's: ${kernels.map(({ release }) => release).join(', ')}`,
      { hint: 'boot one of them, or change matrix.kernel' },
    );
  }
  return cellsOf(experiment).filter((cell) => cell.kernel === running.name);
}

/** An experiment with an axis that changes nothing: --aa. */
function withAa(experiment: Experiment): Experiment {
  const { matrix, repetitions } = experiment;
  if (repetitions < 2) {
    throw new UsageError('--aa needs repetitions: one of each tells nothing of noise', {
      hint: `set repetitions of ${experiment.name} to 5 or more`,
    });
  }
  return { ...experiment, matrix: { ...matrix, axes: [...matrix.axes, aaAxis] } };
}

/**
 * Runs an experiment: for each cell plan, apply, run, collect; at the end, however it comes, restore. Throws
 * PlanError (nothing changed), FailedRestoredError or InterruptedError (restored), RestoreError (not restored).
 */
export async function runExperiment(
  host: Host,
  given: Experiment,
  { signal, ...others }: RunOptions,
): Promise<RunOutcome> {
  const options = { ...others, signal: signal && interruption(signal) };
  if (!host.runsWorkloads) {
    throw new RequirementError(`${host.name} cannot run workloads`, {
      hint: 'run on --host live, or on a modelled machine: --host model:spr-2s',
    });
  }
  const experiment = experimentOn(host, options.aa === true ? withAa(given) : given);
  if (options.resume === true) {
    const outcome = await restoreHost(host, options.stateDirectory);
    if (outcome.state !== 'nothing pending') options.onEvent?.({ type: 'restored', outcome });
  }
  const { model } = host;
  if (model !== undefined) await bootFor(model, experiment, experiment.matrix.kernel?.[0]?.name);
  const begun = options.resume === true ? await earlierRecord(host, options, experiment) : undefined;
  if (begun !== undefined) {
    const of = cellsOf(experiment).length;
    options.onEvent?.({
      type: 'resumed',
      directory: begun.directory,
      finished: finishedIn(begun).size,
      of,
    });
  }
  let outcome = await runSession(host, experiment, options, begun);
  // Other machines have to be booted by somebody.
  for (let kernel = outcome.waiting[0]; model !== undefined && kernel !== undefined; ) {
    await bootFor(model, experiment, kernel);
    options.onEvent?.({ type: 'booted', kernel });
    const next = await runSession(host, experiment, options, await readRecord(outcome.directory));
    outcome = {
      ...next,
      cellsFailed: outcome.cellsFailed + next.cellsFailed,
      restored: joined(outcome.restored, next.restored),
      attributes: { ...outcome.attributes, ...next.attributes },
    };
    kernel = outcome.waiting[0];
  }
  return outcome;
}

function joined(one: Restored, other: Restored): Restored {
  return {
    undone: [...one.undone, ...other.undone],
    problems: [...one.problems, ...other.problems],
    oneWay: [...one.oneWay, ...other.oneWay].filter(
      (each, at, all) => all.findIndex((same) => isDeepStrictEqual(same, each)) === at,
    ),
  };
}

/** Numbers of the cells of a record that are done. */
function finishedIn({ cells }: RunRecord): Set<number> {
  return new Set(cells.flatMap(({ cell, state }) => (state === 'interrupted' ? [] : [cell.number])));
}

/** Runs the cells that are left for the kernel that is running. `begun`: the record to go on with. */
async function runSession(
  host: Host,
  experiment: Experiment,
  options: RunOptions,
  begun: RunRecord | undefined,
): Promise<RunOutcome> {
  const { stateDirectory, onEvent } = options;
  const inventory = await discover(host);
  const cells = cellsHere(inventory, experiment);
  const finished = begun === undefined ? new Set() : finishedIn(begun);
  const isLeft = ({ number }: Cell): boolean => !finished.has(number);
  const left = cells.filter(isLeft);
  const here = cells[0]?.kernel;
  const waiting = [
    ...new Set(
      cellsOf(experiment)
        .filter(isLeft)
        .flatMap(({ kernel }) => kernel ?? []),
    ),
  ].filter((kernel) => kernel !== here);
  if (begun !== undefined && left.length === 0) {
    const restored: Restored = { undone: [], problems: [], oneWay: [] };
    return { directory: begun.directory, cellsFailed: 0, waiting, restored, attributes: {} };
  }
  const plans = planPoints(inventory, experiment, left, planOptions(options));
  const workloads = plans.map(({ workload }) => workload);
  const user = await workloadUser(host, workloads);
  if (user.isTold) onEvent?.({ type: 'user', ...user.invoking });
  const attributes = attributesOf(plans, inventory);
  const { result, restored } = await withJournal(
    host,
    stateDirectory,
    inventory,
    attributes,
    async (journal) => {
      const writer = await beginRecord(host, experiment, inventory, begun, options);
      return new Run(host, experiment, journal, options, writer, user.invoking).all(left, waiting);
    },
  );
  return { ...result, restored, attributes };
}

/** Who runs the workloads, and whether there is anything to say about that. Throws RequirementError where one cannot be run. */
async function workloadUser(
  host: Host,
  workloads: readonly WorkloadTask[],
): Promise<{ readonly invoking: InvokingUser; readonly isTold: boolean }> {
  if (host.model !== undefined) {
    // On a modelled machine there are no users.
    for (const { setup, argv, cleanup } of workloads) {
      for (const each of [...setup, argv, ...cleanup]) host.model.require(each);
    }
    return { invoking: { key: undefined, name: undefined, notice: undefined }, isTold: false };
  }
  const invoking = await invokingUser(host);
  await refuseWorkloads(host, workloads, invoking);
  return { invoking, isTold: workloads.some(({ user }) => user === undefined) };
}

function planOptions({ take = false }: RunOptions): PlanOptions {
  return { take };
}

/** The newest record of this experiment; undefined when there is none. Throws RequirementError when it is another machine's. */
async function earlierRecord(
  host: Host,
  { stateDirectory }: RunOptions,
  experiment: Experiment,
): Promise<RunRecord | undefined> {
  const wanted = JSON.stringify(recorded(experiment));
  const found = (await listRecords(join(stateDirectory, 'runs'))).find(
    ({ manifest }) => JSON.stringify(manifest.experiment) === wanted,
  );
  if (found === undefined) return undefined;
  const { machineId } = found.manifest.sessions[0]?.inventory.kernel ?? {};
  const inventory = await discover(host);
  if (machineId !== inventory.kernel.machineId || found.manifest.source !== inventory.source) {
    throw new RequirementError(`${found.directory}: was begun on another machine`, {
      hint: 'resume it there, or begin anew without --resume',
    });
  }
  return readRecord(found.directory);
}

async function beginRecord(
  host: Host,
  experiment: Experiment,
  inventory: Inventory,
  record: RunRecord | undefined,
  { environment = {}, experimentFile, stateDirectory }: RunOptions,
): Promise<RecordWriter> {
  const startedAt = host.date().toISOString();
  const tool = { version: packageVersion(), commit: buildCommit };
  const session: Session = { startedAt, tool, inventory: asRecorded(inventory), environment };
  if (record !== undefined) return RecordWriter.resume(record, session);
  return RecordWriter.create(join(stateDirectory, 'runs'), {
    schemaVersion: recordVersion,
    id: recordId(host, experiment, inventory, startedAt),
    startedAt,
    state: 'running',
    source: inventory.source,
    experimentFile,
    experiment: recorded(experiment),
    sessions: [session],
  });
}

/** A boot of a modelled machine is as good as another: without its id the same run gives the same record. */
function asRecorded(inventory: Inventory): Inventory {
  if (inventory.source !== 'model') return inventory;
  return { ...inventory, kernel: { ...inventory.kernel, bootId: undefined } };
}

/** The name of a record's folder: of a model's it tells all that the run depends on. */
function recordId({ model }: Host, experiment: Experiment, { kernel }: Inventory, startedAt: string): string {
  if (model === undefined) {
    return `${startedAt.replaceAll(':', '').replace(/\.\d+Z$/, 'Z')}-${experiment.name}-${process.pid}`;
  }
  const inputs = JSON.stringify([kernel.machineId, kernel.release, recorded(experiment)]);
  const hash = createHash('sha256').update(inputs).digest('hex').slice(0, 8);
  return `${experiment.name}-${model.machine}-seed${experiment.seed}-${hash}`;
}

/** One session of a run, between its journal's begin and end. */
class Run {
  readonly #host: Host;
  readonly #experiment: Experiment;
  readonly #journal: Journal;
  readonly #options: RunOptions;
  readonly #writer: RecordWriter;
  readonly #user: InvokingUser;

  constructor(
    host: Host,
    experiment: Experiment,
    journal: Journal,
    options: RunOptions,
    writer: RecordWriter,
    user: InvokingUser,
  ) {
    this.#host = host;
    this.#experiment = experiment;
    this.#journal = journal;
    this.#options = options;
    this.#writer = writer;
    this.#user = user;
  }

  /** Runs cells; `waiting`: kernels that others are left for. */
  async all(
    cells: readonly Cell[],
    waiting: readonly string[],
  ): Promise<Pick<RunOutcome, 'directory' | 'cellsFailed' | 'waiting'>> {
    const of = cellsOf(this.#experiment).length;
    let cellsFailed = 0;
    try {
      for (const [index, cell] of cells.entries()) {
        const event = (stage: (RunEvent & { type: 'cell' })['stage']) =>
          this.#options.onEvent?.({ type: 'cell', cell, of, stage });
        if (index > 0 && this.#experiment.cool_down_s > 0) {
          event('cool down');
          await this.#host.delay(this.#experiment.cool_down_s * 1000, this.#options.signal);
          this.#options.signal?.throwIfAborted();
        }
        event('apply');
        const failure = await this.#cell(cell, () => event('run'));
        if (failure !== undefined) {
          cellsFailed++;
          this.#options.onEvent?.({ type: 'failure', cell, message: failure });
        }
        event('done');
      }
      await this.#writer.finish(waiting.length === 0 ? 'complete' : 'waiting');
    } catch (error) {
      await this.#writer.finish(error instanceof InterruptedError ? 'interrupted' : 'failed');
      throw error;
    }
    return { directory: this.#writer.directory, cellsFailed, waiting };
  }

  /** Runs one cell and writes its record; gives the reason when its workload failed. A failed step ends the run. */
  async #cell(cell: Cell, onRun: () => void): Promise<string | undefined> {
    const { signal } = this.#options;
    const host = this.#host;
    const { limits } = experimentOf(this.#experiment, cell);
    const directory = await this.#writer.cellDirectory(cell);
    const logBegin = await lastLogTime(host);
    const cellPlan = plan(await discover(host), this.#experiment, cell, planOptions(this.#options));
    const { workload, cgroup } = cellPlan;
    const user = workload.user ?? this.#user.key;
    // On a modelled machine a program is nowhere.
    const named = (argv: Argv): readonly string[] => (host.model === undefined ? programArgv(argv) : argv);
    const spec = (argv: Argv) => ({ argv: named(argv), user, directory: workload.directory });
    host.model?.prepare(modelRun(this.#experiment, cell));
    const noProgressMs = (limits.no_progress_s + workload.sleepSeconds) * 1000;
    let setUp = false;
    const receipts: Receipt[] = [];
    const raw: { before?: Snapshot; after?: Snapshot; fullest?: Snapshot; exit?: WorkloadExit } = {};
    let failure: unknown;
    let gathering: Gathering | undefined;
    try {
      await apply(host, cellPlan, this.#journal, { signal, onReceipt: (receipt) => receipts.push(receipt) });
      const paths = await snapshotPaths(host, cgroup);
      setUp = true;
      const setupMs = limits.setup_s * 1000;
      const hooks = { stage: 'setup', directory, timeMs: setupMs, noProgressMs, signal } as const;
      await runHooks(host, workload.setup.map(spec), cgroup, hooks);
      gathering = await Gathering.begin(host, cgroup, directory, this.#journal, {
        ...this.#experiment.collect,
        traceBatch: this.#options.traceBatch ?? false,
      });
      raw.before = await takeSnapshot(host, paths);
      onRun();
      const outputs = {
        stdoutFile: join(directory, cellTexts.stdout),
        stderrFile: join(directory, cellTexts.stderr),
      };
      const memoryStat = hostPath(cgroup, 'memory.stat');
      raw.exit = await runWorkload(host, { ...spec(workload.argv), ...outputs }, cgroup, {
        timeMs: limits.time_s * 1000,
        noProgressMs,
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
    const gathered = await gathering?.end();
    try {
      // However it came to its end, and no signal cuts it short: it takes away what the set-up has made.
      const cleanupMs = limits.cleanup_s * 1000;
      const hooks = { stage: 'cleanup', directory, timeMs: cleanupMs, noProgressMs } as const;
      if (setUp) await runHooks(host, workload.cleanup.map(spec), cgroup, hooks);
    } catch (error) {
      failure ??= error;
    }
    const said = failure === undefined ? exitProblem(raw.exit) : messageOf(failure);
    const record: CellRecord = {
      cell,
      session: this.#writer.session,
      state: failure instanceof InterruptedError ? 'interrupted' : said === undefined ? 'complete' : 'failed',
      failure: said,
      plan: recorded(cellPlan),
      receipts,
      argv: named(workload.argv),
      user,
      exit: raw.exit && recorded(raw.exit),
      before: raw.before,
      after: raw.after,
      fullest: raw.fullest,
      gathered,
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

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
