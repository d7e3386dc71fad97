/** The software model as a host: a machine in memory that reacts as the kernel does, in virtual time. */
import { randomUUID } from 'node:crypto';
import { closeSync, writeSync } from 'node:fs';
import { discover } from '../discover/discover.js';
import { RequirementError, UsageError } from '../errors.js';
import type { RunningWorkload, WorkloadExit, WorkloadSpec, WriteOptions } from '../host/host.js';
import { type MachineKernel, machineReleases } from '../host/machine-tree.js';
import type { MemoryTree } from '../host/memory-tree.js';
import { MockHost } from '../host/mock.js';
import type { ModelControl, ModelRun } from '../host/model-control.js';
import { type HostPath, hostPath } from '../host/path.js';
import { createOutput } from '../host/programs.js';
import { setProcess } from '../host/reactions/cgroup.js';
import { log } from '../host/reactions/kernel-log.js';
import { Draft, type TreeNode, type TreeUpdate, type WritableTree } from '../host/reactions/tree.js';
import { checkedSpec, type SampleSpec, type Sampling } from '../host/sampling.js';
import { native } from '../native/load.js';
import type { NativeModel } from '../native/surface.js';
import { CounterFiles, type ModelCounters } from './counter-files.js';
import { bootedTree, type ModelMachine, readMachine } from './machine.js';
import { ModelSampling } from './sampling.js';
import { type TreeConfig, treeConfig } from './tree-config.js';
import { firstPid, type ModelledProgram, modelledProgram, saidBy } from './workloads.js';

/** When every modelled machine is opened: the day of the cover letter. */
const epochMs = Date.UTC(2025, 4, 8);

const plainRun: ModelRun = {
  seed: 1,
  switches: {},
  mapping: undefined,
  constants: {},
  events: [],
  incompressiblePerMillion: 0,
  calibrated: true,
  exact: false,
};

/** A tree that another takes the place of at a boot. */
class BootedTree implements WritableTree {
  current: MemoryTree;

  constructor(tree: MemoryTree) {
    this.current = tree;
  }

  node(path: string): TreeNode | undefined {
    return this.current.node(path);
  }

  names(path: string): readonly string[] | undefined {
    return this.current.names(path);
  }

  apply(update: TreeUpdate): void {
    this.current.apply(update);
  }

  endOperation(): void {}

  close(): void {}
}

/** The native machine of a workload, and what its counters go to. */
interface Modelled {
  readonly native: NativeModel;
  readonly files: CounterFiles;
  readonly followers: readonly ((atNs: bigint, counters: ModelCounters) => void)[];
}

/** A workload that goes on as time passes. */
interface Running {
  readonly cgroup: HostPath;
  readonly program: ModelledProgram;
  readonly startNs: bigint;
  /** Its machine, once it is there; undefined for a program that takes no time. */
  readonly model: Promise<Modelled | undefined>;
  readonly output: readonly number[];
  readonly end: (exit: WorkloadExit) => void;
  readonly fail: (error: unknown) => void;
  killed: boolean;
  /** The native machine, once it has been advanced. */
  made: Modelled | undefined;
  /** How far it is. */
  state: 'new' | 'under way' | 'standing';
}

/** A modelled machine. What is done to it is gone when it is closed: each opening is a boot. */
export class ModelHost extends MockHost {
  override readonly runsWorkloads = true;
  override readonly model: ModelControl;
  readonly #machine: ModelMachine;
  readonly #tree: BootedTree;
  #kernel: MachineKernel;
  #run = plainRun;
  #nowNs = 0n;
  #running: Running | undefined;
  /** The workload whose driver has been told to be disabled. */
  #told: Running | undefined;
  readonly #samplings = new Set<ModelSampling>();

  /** `name` as given to --host. */
  constructor(name: string, machine: ModelMachine) {
    const tree = new BootedTree(bootedTree(machine, machine.kernel, randomUUID()));
    super(name, `/${machine.name}`, tree);
    this.#machine = machine;
    this.#tree = tree;
    this.#kernel = machine.kernel;
    this.model = this.#control();
  }

  #control(): ModelControl {
    const host = this;
    return {
      machine: this.#machine.name,
      get kernel() {
        return host.#kernel;
      },
      kernels: Object.entries(machineReleases).map(([name, release]) => ({ name, release })),
      async boot(kernel) {
        if (!Object.hasOwn(machineReleases, kernel)) {
          throw new UsageError(`the model has no kernel ${JSON.stringify(kernel)}`, {
            hint: `it has ${Object.keys(machineReleases).join(', ')}`,
          });
        }
        if (host.#running !== undefined) throw new UsageError('a workload is running');
        host.#kernel = kernel as MachineKernel;
        host.#tree.current = bootedTree(host.#machine, host.#kernel, randomUUID());
      },
      require: (argv) => void modelledProgram(argv),
      prepare(run) {
        const known = new Set(
          native()
            .modelConstants()
            .map(({ name }) => name),
        );
        const unknown = Object.keys(run.constants).filter((name) => !known.has(name));
        if (unknown.length > 0) {
          throw new UsageError(`the model has no constant ${unknown.join(', ')}`, {
            hint: 'docs/model.md lists every constant',
          });
        }
        host.#run = run;
      },
    };
  }

  override now(): bigint {
    return this.#nowNs;
  }

  override date(): Date {
    return new Date(epochMs + Number(this.#nowNs / 1_000_000n));
  }

  override launch(workload: WorkloadSpec, cgroup: HostPath): RunningWorkload {
    if (this.#running !== undefined) {
      throw new RequirementError('the model runs one workload at a time', { hint: 'wait for its end' });
    }
    const program = modelledProgram(workload.argv);
    const output: number[] = [];
    let end: Running['end'] = () => {};
    let fail: Running['fail'] = () => {};
    const exit = new Promise<WorkloadExit>((resolve, reject) => {
      end = resolve;
      fail = reject;
    });
    try {
      for (const file of [workload.stdoutFile, workload.stderrFile]) output.push(createOutput(file));
    } catch (error) {
      for (const fd of output) closeSync(fd);
      fail(error);
      return { exit, kill: () => {} };
    }
    const model = program.kind === 'nothing' ? Promise.resolve(undefined) : this.#open(program, cgroup);
    // Awaited when time passes; until then it must not count as unhandled.
    model.catch(() => {});
    const running: Running = {
      cgroup,
      program,
      startNs: this.#nowNs,
      model,
      output,
      end,
      fail,
      killed: false,
      made: undefined,
      state: 'new',
    };
    this.#running = running;
    this.#react((draft) => setProcess(draft, cgroup, firstPid));
    return {
      exit,
      kill: () => {
        running.killed = true;
        this.#endIfKilled();
      },
    };
  }

  /** Makes the native machine from what the kernel files say now. */
  async #open(program: Extract<ModelledProgram, { kind: 'model' }>, cgroup: HostPath): Promise<Modelled> {
    const inventory = await discover(this);
    const names = [
      'memory.high',
      'memory.max',
      'memory.swap.max',
      'memory.zswap.max',
      'memory.zswap.writeback',
    ];
    const [high = '', max = '', swapMax = '', zswapMax = '', writeback = ''] = await this.tryRead(
      names.map((name) => hostPath(cgroup, name)),
    );
    const sampling = [...this.#samplings].find(({ isStopped }) => !isStopped);
    const found: TreeConfig = treeConfig({
      machine: this.#machine,
      kernel: this.#kernel,
      inventory,
      cgroup: { high, max, swapMax, zswapMax, writeback },
      program,
      run: this.#run,
      sampleIntervalNs: sampling?.intervalNs ?? 0,
    });
    const model = native().openModel(found.config);
    if (typeof model === 'string') {
      throw new RequirementError(`the model cannot run this: ${model}`, {
        hint: 'see model in the experiment, and docs/model.md',
      });
    }
    const { folio, wqs } = found;
    const files = new CounterFiles(this.#tree.current, native().modelCounters(), {
      group: cgroup,
      folio,
      wqs,
    });
    const followers = [...this.#samplings].map((each) => each.follow(files));
    return { native: model, files, followers };
  }

  /** Ends early when the workload that runs does. */
  override async delay(ms: number, signal?: AbortSignal): Promise<void> {
    const untilNs = this.#nowNs + BigInt(Math.round(ms * 1e6));
    const running = this.#running;
    if (running === undefined || signal?.aborted === true) {
      if (running === undefined) this.#pass(untilNs);
      return;
    }
    try {
      await this.#advance(running, untilNs);
    } catch (error) {
      this.#finish(running);
      running.fail(error);
    }
    // Whoever waits for its end learns of it before this wait is over.
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  /** Time passes and nothing happens. */
  #pass(untilNs: bigint): void {
    this.#nowNs = untilNs > this.#nowNs ? untilNs : this.#nowNs;
    for (const sampling of this.#samplings) sampling.passed(this.#nowNs);
  }

  async #advance(running: Running, untilNs: bigint): Promise<void> {
    const model = await running.model;
    if (model === undefined) {
      this.#end(running, { exitCode: 0, signal: undefined });
      return;
    }
    // Killed before it came to anything.
    if (this.#running !== running) return;
    const machine = model.native;
    running.state = 'under way';
    const ended = await machine.advance(Number(untilNs - running.startNs));
    running.state = 'standing';
    running.made = model;
    if (typeof ended === 'string') {
      throw new RequirementError(`the model cannot run this: ${ended}`, { hint: 'see docs/model.md' });
    }
    // The host was closed meanwhile.
    if (this.#running !== running) return;
    this.#nowNs = running.startNs + BigInt(machine.now());
    const counters = machine.counters();
    this.#takeSamples(running, model);
    for (const update of model.files.updates(counters, machine.wqCounters())) this.#tree.apply(update);
    this.#tellOfDriver(running, counters);
    if (running.killed) this.#end(running, { exitCode: undefined, signal: 'SIGKILL' }, model);
    else if (ended && isThrough(running.program, machine)) this.#endWell(running, model);
    // What is left of it hangs, and time goes on.
    else if (ended) this.#pass(untilNs);
  }

  #takeSamples(running: Running, { native: machine, followers }: Modelled): void {
    const names = native().modelCounters();
    const { timesNs, values } = machine.takeSamples();
    for (const [row, timeNs] of timesNs.entries()) {
      const counters = Object.fromEntries(
        names.map((name, column) => [name, values[row * names.length + column] ?? 0]),
      );
      for (const follow of followers) follow(running.startNs + BigInt(timeNs), counters);
    }
  }

  /** As check_completion() of iaa_crypto_main.c says it, once. */
  #tellOfDriver(running: Running, counters: ModelCounters): void {
    if ((counters['model.driver_disabled'] ?? 0) === 0 || this.#told === running) return;
    this.#told = running;
    this.#react((draft) => {
      log(draft, 3, 'idxd: compress completion timed out - assuming broken hw, iaa_crypto now DISABLED');
    });
  }

  #endWell(running: Running, model: Modelled): void {
    const { program, output } = running;
    if (program.kind !== 'model') return;
    const said = saidBy(program, model.native.results());
    writeSync(output[0] as number, said.stdout);
    writeSync(output[1] as number, said.stderr);
    this.#end(running, { exitCode: said.exitCode, signal: undefined }, model);
  }

  #end(running: Running, how: Pick<WorkloadExit, 'exitCode' | 'signal'>, model?: Modelled): void {
    const counters = model?.native.counters() ?? {};
    // The kernel frees all of one that is killed.
    if (how.signal !== undefined) {
      for (const update of model?.files.updates(counters, model.native.wqCounters(), true) ?? [])
        this.#tree.apply(update);
    }
    this.#finish(running);
    const resident = model?.native.results().map(({ maxResidentPages }) => maxResidentPages) ?? [];
    running.end({
      ...how,
      elapsedNs: this.#nowNs - running.startNs,
      userUs: BigInt(Math.floor((counters['cpu.user_ns'] ?? 0) / 1000)),
      systemUs: BigInt(Math.floor((counters['cpu.system_ns'] ?? 0) / 1000)),
      maxRssKiB: resident.reduce((most, pages) => Math.max(most, pages), 0) * 4,
    });
  }

  #finish(running: Running): void {
    if (this.#running !== running) return;
    this.#running = undefined;
    for (const fd of running.output) closeSync(fd);
    this.#react((draft) => setProcess(draft, running.cgroup, undefined));
  }

  /** Ends a workload that was killed while time stands still; one that is under way ends where it is then. */
  #endIfKilled(): void {
    const running = this.#running;
    if (running?.killed !== true || running.state === 'under way') return;
    this.#end(running, { exitCode: undefined, signal: 'SIGKILL' }, running.made);
  }

  override async write(path: HostPath, text: string, options?: WriteOptions): Promise<void> {
    await super.write(path, text, options);
    const running = this.#running;
    if (running === undefined || !path.endsWith('/cgroup.kill')) return;
    if (new Draft(this.#tree).value(`${running.cgroup}/cgroup.procs`) !== '') return;
    running.killed = true;
    this.#endIfKilled();
  }

  override async sample(spec: SampleSpec): Promise<Sampling> {
    const sampling = new ModelSampling(this.#tree, checkedSpec(spec), this.#nowNs);
    for (const each of this.#samplings) if (each.isStopped) this.#samplings.delete(each);
    this.#samplings.add(sampling);
    return sampling;
  }

  override async close(): Promise<void> {
    const running = this.#running;
    if (running !== undefined) {
      this.#finish(running);
      running.fail(new RequirementError(`${this.name} was closed while ${running.cgroup} was in use`));
    }
    await super.close();
  }

  #react(change: (draft: Draft) => void): void {
    const draft = new Draft(this.#tree);
    change(draft);
    for (const update of draft.updates) this.#tree.apply(update);
  }
}

/** A modelled machine by its word, `model:spr-2s` or `model:PATH.yaml`. Throws UsageError, ExperimentError. */
export async function openModelHost(spec: string): Promise<ModelHost> {
  return new ModelHost(spec, await readMachine(spec.slice('model:'.length)));
}

/** Every task has come to its end; what hangs has not. */
function isThrough(program: ModelledProgram, model: NativeModel): boolean {
  const isUsemem = program.kind === 'model' && program.workload.kind === 'usemem';
  return model.results().every(({ workedNs, freedNs }) => (isUsemem ? freedNs : workedNs) !== undefined);
}
