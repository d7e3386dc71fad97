// Runs inside the guest. SIGKILL at every change of a run, then restore: the attributes must be as before.
//   torture.js FILE [--from N] [--every N]   from the N-th change on (default: the first), every N-th only (default: each,
//                                            before and after it; else one of the two in turn)
//   torture.js --child FILE STATE AT WHEN
// Prints a line of JSON for each death, and a last one with the counts.
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { discover } from '../../../src/discover/discover.js';
import { readExperiment } from '../../../src/experiment/file.js';
import { restoreHost } from '../../../src/experiment/restore-host.js';
import { runExperiment } from '../../../src/experiment/run.js';
import type { Host } from '../../../src/host/host.js';
import { openHost } from '../../../src/host/open.js';
import { hostPath } from '../../../src/host/path.js';
import { type Death, dyingHost } from '../../support/dying-host.js';

/** All that a plan may set, and the cgroups there are. */
async function captureAttributes(host: Host): Promise<string> {
  const { attributes, cgroup } = await discover(host);
  const groups = await host.list(hostPath(cgroup.mount ?? '/sys/fs/cgroup'));
  return JSON.stringify({ attributes, groups });
}

async function child(file: string, stateDirectory: string, death: Death | undefined): Promise<void> {
  const live = await openHost('live', { writable: true });
  let changes = 0;
  const host = dyingHost(live, death, (operation, path) => {
    changes++;
    process.send?.({ changes, operation, path });
  });
  await runExperiment(host, await readExperiment(file), { stateDirectory, experimentFile: file });
  await live.close();
  process.disconnect();
}

interface ChangeMessage {
  readonly changes: number;
  readonly operation: string;
  readonly path: string;
}

/** Runs the experiment in a process of its own; gives the last change it told of and the signal that ended it. */
function runChild(
  file: string,
  stateDirectory: string,
  death?: Death,
): Promise<{ last: ChangeMessage | undefined; signal: string | null; code: number | null }> {
  const where = death === undefined ? [] : [String(death.at), death.when];
  const process_ = fork(process.argv[1] as string, ['--child', file, stateDirectory, ...where]);
  let last: ChangeMessage | undefined;
  process_.on('message', (message) => {
    last = message as ChangeMessage;
  });
  return new Promise((resolve, reject) => {
    process_.once('error', reject);
    process_.once('exit', (code, signal) => resolve({ last, signal, code }));
  });
}

async function torture(file: string, from: number, every: number): Promise<void> {
  const host = await openHost('live', { writable: true });
  const stateDirectory = mkdtempSync(join(tmpdir(), 'torture-'));
  // The first run sets zswap up for good; what it leaves is the state to come back to.
  const first = await runChild(file, stateDirectory);
  if (first.code !== 0 || first.last === undefined)
    throw new Error(`the undisturbed run failed: ${JSON.stringify(first)}`);
  const total = first.last.changes;
  const before = await captureAttributes(host);
  const counts = { changes: total, deaths: 0, equal: 0, pending: 0 };
  for (let at = from; at <= total; at += every) {
    const moments =
      every === 1
        ? (['before', 'after'] as const)
        : ([Math.floor(at / every) % 2 === 0 ? 'before' : 'after'] as const);
    for (const when of moments) {
      const { last, signal, code } = await runChild(file, stateDirectory, { at, when });
      const outcome = await restoreHost(host, stateDirectory);
      const equal = (await captureAttributes(host)) === before;
      counts.deaths += signal === 'SIGKILL' ? 1 : 0;
      counts.equal += equal ? 1 : 0;
      counts.pending += outcome.state === 'restored' ? 1 : 0;
      console.log(
        JSON.stringify({
          at,
          when,
          operation: last?.operation,
          path: last?.path,
          signal,
          code,
          restore: outcome.state,
          equal,
        }),
      );
    }
  }
  rmSync(stateDirectory, { recursive: true });
  await host.close();
  console.log(JSON.stringify(counts));
}

const [command = '', ...rest] = process.argv.slice(2);
if (command === '--child') {
  const [file = '', stateDirectory = '', at, when] = rest;
  await child(
    file,
    stateDirectory,
    at === undefined ? undefined : { at: Number(at), when: when as Death['when'] },
  );
} else {
  const { values } = parseArgs({
    args: rest,
    options: { from: { type: 'string', default: '1' }, every: { type: 'string', default: '1' } },
  });
  await torture(command, Number(values.from), Number(values.every));
}
