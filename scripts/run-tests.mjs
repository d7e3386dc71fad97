// Runs the stages of the test suite: node scripts/run-tests.mjs [--only STAGE]... [--no-vm]
// scripts/test starts it after the set-up and with this machine's kernel files read-only.
import { setMaxListeners } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { run as runTestFiles } from 'node:test';
import { inspect, parseArgs } from 'node:util';
import { run, textChecks, tidyChecks, typeCheck } from './checks.mjs';

process.env.IAA_ZSWAP_TEST = '1';

const stop = new AbortController();
// One listener for each test file.
setMaxListeners(0, stop.signal);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
}

/** Folders of tests that take something that the others do not; the stage `unit` runs all the others. */
const special = ['boot', 'cli', 'guard', 'native', 'vm'];

/** The compiled tests of some folders of test/, by name; a file without source any more is not among them. */
function testFiles(isIn) {
  return readdirSync('test', { recursive: true })
    .filter((name) => name.endsWith('.test.ts') && isIn(name.slice(0, name.indexOf('/'))))
    .map((name) => join('build/test/test', name.replace(/\.ts$/, '.js')))
    .sort();
}

/** What one stage found. */
class Tally {
  seconds = 0;
  passed = 0;
  failed = 0;
  /** Tests that did not run, with the reason. */
  notRun = [];

  pass() {
    this.passed += 1;
  }

  fail(name, details) {
    this.failed += 1;
    console.log(`FAILED ${name}\n${details.trimEnd().replace(/^/gm, '    ')}\n`);
  }

  skip(name, reason) {
    this.notRun.push({ name, reason });
  }
}

async function runChecks(tally, checks, parallel) {
  const queue = [...checks];
  const worker = async () => {
    for (let check = queue.shift(); check !== undefined && !stop.signal.aborted; check = queue.shift()) {
      const { ok, output } = await check.run();
      if (ok) tally.pass();
      else tally.fail(check.name, output);
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

/** Runs compiled test files, each in a process of its own, and counts every test and subtest in them once. */
async function runTests(tally, files, { parallel, minutesPerFile }) {
  if (files.length === 0) throw new Error('there are no tests');
  const stream = runTestFiles({
    files,
    concurrency: parallel,
    timeout: minutesPerFile * 60_000,
    signal: stop.signal,
  });
  let parents = [];
  let said = '';
  for await (const { type, data } of stream) {
    if (type === 'test:stdout' || type === 'test:stderr') said += data.message;
    if (type === 'test:start') parents = [...parents.slice(0, data.nesting), data.name];
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const file = relative(process.cwd(), data.file ?? '').replace(/^build\/test\//, '');
    const name = [file, ...parents.slice(0, data.nesting), data.name].join(' > ');
    const error = data.details?.error;
    if (data.skip !== undefined || data.todo !== undefined) {
      const reason = [data.skip, data.todo].find((text) => typeof text === 'string');
      tally.skip(name, reason ?? 'no reason given');
    } else if (type === 'test:fail') {
      // A parent fails with its children, which are counted.
      if (error?.failureType === 'subtestsFailed') continue;
      // An assertion's message has the difference in it; inspect() would add both sides in full.
      const cause = error?.cause ?? error;
      tally.fail(name, `${cause?.stack ?? inspect(cause)}\n${said}`);
      said = '';
    } else if (data.nesting === 0 && data.name === data.file) {
      tally.fail(data.name, 'the file holds no test');
    } else if (data.details?.type !== 'suite') {
      tally.pass();
    }
  }
}

async function runGuestTests(tally) {
  const top = mkdtempSync(join(tmpdir(), 'iaa-zswap-test-vm-'));
  const directory = join(top, 'guest');
  try {
    const { devices } = await import('../build/test/test/transcripts/operations.js');
    const argv = ['dist/cli.js', 'vm', 'start', '--dir', directory, '--devices', String(devices)];
    const started = await run(argv);
    if (!started.ok) throw new Error(`the guest did not start:\n${started.output}`);
    process.env.IAA_ZSWAP_VM_DIR = directory;
    await runTests(
      tally,
      testFiles((folder) => folder === 'vm'),
      { parallel: 1, minutesPerFile: 20 },
    );
  } finally {
    const stopped = await run(['dist/cli.js', 'vm', 'stop', '--dir', directory]);
    if (!stopped.ok) console.log(`the guest did not stop:\n${stopped.output}`);
    rmSync(top, { recursive: true, force: true });
  }
}

/** Programs of their own, whose script names each that ended well and stops at the first other. */
async function runPrograms(tally, script) {
  const { ok, output } = await run([script]);
  for (const _ of output.matchAll(/^ok /gm)) tally.pass();
  if (!ok) tally.fail(script, output);
}

const parallel = availableParallelism();
const quick = { parallel, minutesPerFile: 5 };

/** `guarded` stages run code that could write to kernel files: only once the guard has passed. */
const stages = [
  { name: 'types', run: (tally) => runChecks(tally, [typeCheck], 1) },
  {
    name: 'guard',
    run: (tally) =>
      runTests(
        tally,
        testFiles((folder) => folder === 'guard'),
        quick,
      ),
  },
  { name: 'lint', run: (tally) => runChecks(tally, textChecks, 1) },
  { name: 'tidy', run: async (tally) => runChecks(tally, await tidyChecks(), parallel) },
  { name: 'native', guarded: true, run: (tally) => runPrograms(tally, 'scripts/native-test.sh') },
  { name: 'fuzz', guarded: true, run: (tally) => runPrograms(tally, 'scripts/fuzz') },
  {
    name: 'unit',
    guarded: true,
    run: (tally) =>
      runTests(
        tally,
        testFiles((folder) => !special.includes(folder)),
        quick,
      ),
  },
  {
    name: 'addon',
    guarded: true,
    run: (tally) =>
      runTests(
        tally,
        testFiles((folder) => folder === 'native'),
        quick,
      ),
  },
  {
    name: 'cli',
    guarded: true,
    run: (tally) =>
      runTests(
        tally,
        testFiles((folder) => folder === 'cli'),
        quick,
      ),
  },
  { name: 'vm', guarded: true, run: runGuestTests },
];

const { values: options } = parseArgs({
  options: { only: { type: 'string', multiple: true }, 'no-vm': { type: 'boolean', default: false } },
});
const names = stages.map((stage) => stage.name);
for (const name of options.only ?? []) {
  if (!names.includes(name)) {
    console.error(`error: there is no stage '${name}'\nhint: the stages are ${names.join(', ')}`);
    process.exit(2);
  }
}
const wanted = stages.filter(
  ({ name }) => (options.only?.includes(name) ?? true) && !(name === 'vm' && options['no-vm']),
);
const selected = stages.filter(
  (stage) =>
    wanted.includes(stage) ||
    (stage.name === 'guard' && wanted.some(({ guarded }) => guarded)) ||
    (stage.name === 'types' && wanted.some(({ name, guarded }) => guarded || name === 'guard')),
);

const tallies = new Map();
let guarded = false;
for (const stage of selected) {
  const tally = new Tally();
  tallies.set(stage.name, tally);
  const start = performance.now();
  console.log(`== ${stage.name}`);
  try {
    if (stop.signal.aborted) throw stop.signal.reason;
    if (stage.guarded && !guarded) throw new Error('the guard did not pass');
    await stage.run(tally);
  } catch (error) {
    tally.fail(`${stage.name} (the stage could not run)`, error.message);
  }
  if (stage.name === 'guard') guarded = tally.passed > 0 && tally.failed === 0;
  tally.seconds = (performance.now() - start) / 1000;
}

const rows = [['stage', 'seconds', 'passed', 'failed', 'not run']];
if (process.env.SETUP_SECONDS !== undefined) rows.push(['setup', process.env.SETUP_SECONDS, '', '', '']);
for (const [name, { seconds, passed, failed, notRun }] of tallies) {
  rows.push([name, seconds.toFixed(1), passed, failed, notRun.length].map(String));
}
console.log();
for (const [name, ...cells] of rows)
  console.log(name.padEnd(8) + cells.map((cell) => cell.padStart(9)).join(''));
const all = [...tallies.values()];
const notRun = all.flatMap((tally) => tally.notRun);
if (notRun.length > 0) {
  console.log('\nnot run:');
  for (const { name, reason } of notRun) console.log(`  ${name}: ${reason}`);
}
const total = (key) => all.reduce((sum, tally) => sum + tally[key], 0);
const skipped = notRun.length > 0 ? `, ${notRun.length} skipped` : '';
console.log(`\n${total('passed')} passed, ${total('failed')} failed${skipped}`);
process.exit(total('failed') > 0 ? 1 : 0);
