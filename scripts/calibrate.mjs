// Fits the constants of native/model that are `fitted` to the cells of the cover letter that are for that, and sets every
// published cell beside the model and beside a baseline without its mechanisms.
//
//     scripts/calibrate                    every cell with the constants as they are: some minutes
//     scripts/calibrate --fit [--write]    fits first; --write puts the values into native/model/constants.h
//     scripts/calibrate --leave-one-out    fits again without each cell in turn: how far off is the one left out?
//     scripts/calibrate --only WORKLOAD    usemem30 or kernel-build-allmodconfig
//     ... --docs                           puts the tables into docs/model.md
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { letterSettings } = await import('../build/test/src/model/letter.js');
const { nativeConfig } = await import('../build/test/src/model/native-config.js');
const { runModel, usememKbPerSecond } = await import('../build/test/src/model/run.js');
const { native } = await import('../build/test/src/native/load.js');
const { publishedV9 } = await import('../build/test/src/report/published-v9.js');
const { constantsTable, markdownTable, withTable } = await import(
  '../build/test/test/support/model-tables.js'
);

const second = 1e9;
const build = 'kernel-build-allmodconfig';

/** The cells that constants are fitted to, and no others. */
const fitCells = [
  'usemem30 64k deflate-iaa mm-unstable-4-21-2025',
  'usemem30 64k deflate-iaa v9',
  'usemem30 64k zstd mm-unstable-4-21-2025',
  'usemem30 64k zstd v9',
  'usemem30 2048k zstd mm-unstable-4-21-2025',
  `${build} 64k deflate-iaa mm-unstable-4-21-2025`,
  `${build} 64k zstd mm-unstable-4-21-2025`,
];

/** The values of a cell that are fitted, and how far off the model may be: an error of 1 to the fit. */
const bounds = {
  usemem30: { total_throughput_kb_s: 0.06, elapsed_s: 0.12, sys_s: 0.12, zswpout: 0.03 },
  [build]: { real_s: 0.1, sys_s: 0.06, zswpout: 0.25, zswpin: 0.25 },
};

/** Rows that are set beside the letter, with what the model has to keep to where it has to. */
const rows = {
  usemem30: {
    ...bounds.usemem30,
    'ZSWPOUT-64kB': 0.03,
    'ZSWPOUT-2048kB': 0.03,
    memcg_high: { '64k': 0.08, '2048k': 0.04 },
  },
  [build]: {
    real_s: 0.1,
    user_s: undefined,
    sys_s: undefined,
    'sys_s given zswpout': 0.06,
    zswpout: 0.25,
    zswpin: 0.25,
    pgmajfault: undefined,
    'ZSWPOUT-64kB': undefined,
    'ZSWPOUT-2048kB': undefined,
  },
};

/** What a constant is while no cell tells anything of it. */
const neutral = { pmd_reclaim_permille: 1000, pmd_contended_permille: 1000 };

/**
 * How much of a cell is run, and with which seeds, whose mean is taken. usemem's rates do not depend on the part; a
 * build's memory goes up and down by chance, and a short one has not seen enough of it.
 */
const shortRuns = {
  usemem30: (cell) => ({ part: cell.folio === '64k' ? 1 / 8 : 1 / 2, seeds: [1] }),
  [build]: () => ({ part: 1 / 8, seeds: [1] }),
};
const wholeRuns = {
  usemem30: () => ({ part: 1, seeds: [1] }),
  [build]: () => ({ part: 1 / 2, seeds: [1] }),
};

const nameOf = (cell) => [cell.workload, cell.folio, cell.compressor, cell.kernel].join(' ');
const isFitted = (cell) => fitCells.includes(nameOf(cell));
const isBuild = (cell) => cell.workload === build;
const sum = (values) => values.reduce((total, value) => total + value, 0);

/** The rows of the letter's tables that the model gives, from one run of a part of a cell. */
async function runOnce(cell, constants, part, seed) {
  const settings = { ...letterSettings(cell, part), constants, seed };
  const { counters, elapsedNs, ...run } = await runModel(nativeConfig(settings));
  const folioKb = cell.folio === '64k' ? 64 : 2048;
  const common = {
    sys_s: counters['cpu.system_ns'] / second / part,
    zswpout: counters['vmstat.zswpout'] / part,
    [`ZSWPOUT-${folioKb}kB`]: counters['hugepages.zswpout'] / part,
  };
  if (isBuild(cell)) {
    return {
      ...common,
      real_s: elapsedNs / second / part,
      user_s: counters['cpu.user_ns'] / second / part,
      zswpin: counters['vmstat.zswpin'] / part,
      pgmajfault: counters['vmstat.pgmajfault'] / part,
    };
  }
  return {
    ...common,
    total_throughput_kb_s: sum(usememKbPerSecond(run, settings.workload.taskPages)),
    elapsed_s: elapsedNs / second / part,
    memcg_high: counters['memory.events.high'] / part,
  };
}

/** The rows of a cell, means over its seeds. */
async function runCell(cell, constants, runs) {
  const { part, seeds } = runs[cell.workload](cell);
  const results = [];
  for (const seed of seeds) results.push(await runOnce(cell, constants, part, seed));
  const [first] = results;
  return Object.fromEntries(
    Object.keys(first).map((row) => [row, sum(results.map((result) => result[row])) / results.length]),
  );
}

/** Runs cells side by side, two at a time. */
async function runCells(wanted, constants, runs) {
  const results = new Map();
  const queue = [...wanted];
  const worker = async () => {
    for (let cell = queue.shift(); cell !== undefined; cell = queue.shift()) {
      results.set(nameOf(cell), await runCell(cell, constants, runs));
    }
  };
  await Promise.all([worker(), worker()]);
  return results;
}

/** Errors of the fitted values of some cells as logarithms, by what they may be. */
function residualsOf(wanted, results) {
  return wanted.flatMap((cell) =>
    Object.entries(bounds[cell.workload]).map(
      ([row, bound]) => Math.log(results.get(nameOf(cell))[row] / cell.values[row]) / bound,
    ),
  );
}

/** Solves a small system by Gauss's elimination. */
function solve(matrix, right) {
  const equations = matrix.map((row, i) => [...row, right[i]]);
  const size = equations.length;
  for (let i = 0; i < size; i++) {
    let pivot = i;
    for (let k = i + 1; k < size; k++) {
      if (Math.abs(equations[k][i]) > Math.abs(equations[pivot][i])) pivot = k;
    }
    [equations[i], equations[pivot]] = [equations[pivot], equations[i]];
    for (let k = i + 1; k < size; k++) {
      const factor = equations[k][i] / equations[i][i];
      for (let j = i; j <= size; j++) equations[k][j] -= factor * equations[i][j];
    }
  }
  const solution = Array(size).fill(0);
  for (let i = size - 1; i >= 0; i--) {
    const known = sum(solution.map((value, k) => (k > i ? equations[i][k] * value : 0)));
    solution[i] = (equations[i][size] - known) / equations[i][i];
  }
  return solution;
}

/** Gauss-Newton on logarithms, damped, each step at most a sixth; the best point seen. */
async function fit(names, wanted, start, say) {
  const change = 0.05;
  const mostStep = 1 / 6;
  const rounds = 2;
  let constants = { ...start };
  let best = { cost: Number.POSITIVE_INFINITY, constants };
  for (let round = 0; round <= rounds; round++) {
    const base = residualsOf(wanted, await runCells(wanted, constants, shortRuns));
    const cost = sum(base.map((residual) => residual ** 2));
    if (cost < best.cost) best = { cost, constants };
    say(`round ${round}: sum of squares ${cost.toFixed(3)}`);
    if (round === rounds) break;
    const columns = [];
    for (const name of names) {
      const moved = { ...constants, [name]: Math.round(constants[name] * (1 + change)) };
      const exact = moved[name] / constants[name] - 1;
      const there = residualsOf(wanted, await runCells(wanted, moved, shortRuns));
      columns.push(there.map((residual, i) => (residual - base[i]) / exact));
    }
    const dot = (a, b) => sum(a.map((value, i) => value * b[i]));
    const matrix = columns.map((a, i) =>
      columns.map((b, k) => dot(a, b) * (i === k ? 1.05 : 1) + (i === k ? 1e-6 : 0)),
    );
    const step = solve(
      matrix,
      columns.map((column) => -dot(column, base)),
    );
    const moved = names.map((name, i) => {
      const by = Math.max(-mostStep, Math.min(mostStep, step[i]));
      return [name, Math.round(constants[name] * (1 + by))];
    });
    constants = { ...constants, ...Object.fromEntries(moved) };
  }
  return best.constants;
}

const percent = (value, published) =>
  `${value >= published ? '+' : ''}${((value / published - 1) * 100).toFixed(1)}%`;
const number = (value) => (value >= 10_000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2));

/**
 * What a cell would be without mechanisms. usemem: all tasks alike, no queue, no lock, no early exit, no freeing,
 * events of 64 pages or a folio, of the accelerator the latencies that the patches' author gives for a page. The
 * build: as the published 64K cell of that compressor that is fitted.
 */
function baseline(cell, constants) {
  if (isBuild(cell)) {
    return cells.find((like) => isBuild(like) && isFitted(like) && like.compressor === cell.compressor)
      .values;
  }
  const tasks = 30;
  const pages = tasks * 2621440;
  const tables = pages / 512;
  const isZstd = cell.compressor === 'zstd';
  const bytes = isZstd ? constants.counter_bytes_zstd : constants.counter_bytes_iaa;
  const zswpout = (pages + tables - 150 * 2 ** 18) / (1 - bytes / 4096);
  const folioPages = cell.folio === '64k' ? 16 : 512;
  const latency = cell.kernel === 'v9' ? 706 : 3503;
  const entry = constants[cell.kernel === 'v9' ? 'zswap_entry_v9' : 'zswap_entry_mainline'];
  const store =
    constants.reclaim_page + constants.contended_page + entry + (isZstd ? constants.zstd_compress : latency);
  const fault = constants.clear_page + constants.fault / folioPages;
  const sys = (pages * fault + zswpout * store) / second;
  const seconds = (sys + (pages * constants.usemem_write_page) / second) / tasks;
  return {
    total_throughput_kb_s: (tasks * ((2621440 * 4096 * 9) / 8 / 1024)) / seconds,
    elapsed_s: seconds + 10,
    sys_s: sys,
    zswpout,
    memcg_high: zswpout / Math.max(64, folioPages),
    [`ZSWPOUT-${cell.folio === '64k' ? 64 : 2048}kB`]: zswpout / folioPages,
  };
}

/** Adds to a build's rows what `sys` would be with as many pages stored as the letter has. */
async function addGiven(cell, model, constants) {
  if (!sysWithoutLimit.has(cell.folio)) {
    const { part } = wholeRuns[build]();
    const settings = { ...letterSettings(cell, part), constants, memoryMaxBytes: undefined };
    const { counters } = await runModel(nativeConfig(settings));
    sysWithoutLimit.set(cell.folio, counters['cpu.system_ns'] / second / part);
  }
  const without = sysWithoutLimit.get(cell.folio);
  model['sys_s given zswpout'] = without + ((model.sys_s - without) * cell.values.zswpout) / model.zswpout;
}
/** By folio size: nothing is stored then, so that it does not matter what would store it. */
const sysWithoutLimit = new Map();

/** Every published cell: fitted to, structural (of a fitted cell, but not fitted) or predicted. */
function cellsTable(wanted, results, constants) {
  const lines = wanted.flatMap((cell) => {
    const model = results.get(nameOf(cell));
    const plain = baseline(cell, constants);
    return Object.entries(rows[cell.workload]).flatMap(([row, bound]) => {
      const published = cell.values[row.split(' ')[0]];
      if (published === undefined || model[row] === undefined) return [];
      const kind = !isFitted(cell) ? 'predicted' : row in bounds[cell.workload] ? 'fitted' : 'structural';
      const most = typeof bound === 'object' ? bound[cell.folio] : bound;
      const isMet = Math.abs(model[row] / published - 1) <= most;
      const aim = most === undefined ? '' : `${(most * 100).toFixed(0)}% ${isMet ? 'met' : '**missed**'}`;
      const without =
        plain[row] === undefined ? ['', ''] : [number(plain[row]), percent(plain[row], published)];
      return [
        [
          nameOf(cell).replace(build, 'build').replace('-4-21-2025', ''),
          row,
          kind,
          number(published),
          number(model[row]),
          percent(model[row], published),
          aim,
          ...without,
        ],
      ];
    });
  });
  const numeric = ['published', 'model', 'error', 'baseline', 'its error'];
  return markdownTable(
    ['cell', 'row', 'kind', 'published', 'model', 'error', 'aim', 'baseline', 'its error'],
    numeric,
    lines,
  );
}

/** How much batching with the accelerator gains, in throughput of usemem. */
function gainsTable(results, constants) {
  const aims = { '64k': 3, '2048k': 12 };
  const lines = Object.entries(aims).map(([folio, aim]) => {
    const [before, after] = ['mm-unstable-4-21-2025', 'v9'].map((kernel) =>
      cells.find((cell) => nameOf(cell) === `usemem30 ${folio} deflate-iaa ${kernel}`),
    );
    const gain = (read) => (read(after) / read(before) - 1) * 100;
    const published = gain((cell) => cell.values.total_throughput_kb_s);
    const model = gain((cell) => results.get(nameOf(cell)).total_throughput_kb_s);
    const plain = gain((cell) => baseline(cell, constants).total_throughput_kb_s);
    const isMet = Math.abs(model - published) <= aim;
    return [
      `usemem30 ${folio}`,
      ...[published, model, plain].map((value) => `${value.toFixed(1)}%`),
      `${aim} points ${isMet ? 'met' : '**missed**'}`,
    ];
  });
  return markdownTable(
    ['gain of batching', 'published', 'model', 'baseline', 'aim'],
    ['published', 'model', 'baseline'],
    lines,
  );
}

/** Fits without each of the cells in turn, and runs the one that was left out. */
async function leaveOneOut(wanted, defaults, names) {
  const lines = [];
  for (const left of wanted) {
    const others = wanted.filter((cell) => cell !== left);
    const isAlone = !others.some(({ folio }) => folio === left.folio);
    const start = isAlone ? { ...defaults, ...neutral } : defaults;
    const told = names.filter((name) => !isAlone || !(name in neutral));
    const model = await runCell(left, await fit(told, others, start, () => {}), shortRuns);
    for (const row of Object.keys(bounds[left.workload])) {
      const published = left.values[row];
      lines.push([
        nameOf(left).replace(build, 'build').replace('-4-21-2025', ''),
        row,
        number(published),
        number(model[row]),
        percent(model[row], published),
      ]);
    }
  }
  const columns = ['cell left out', 'row', 'published', 'model', 'error'];
  return markdownTable(columns, columns.slice(2), lines);
}

function writeConstants(constants, names) {
  const file = 'native/model/constants.h';
  let text = readFileSync(file, 'utf8');
  for (const name of names) {
    const digits = String(constants[name]).replace(/\B(?=(\d{3})+$)/g, "'");
    text = text.replace(new RegExp(`(int64_t ${name} = )[0-9']+;`), `$1${digits};`);
  }
  writeFileSync(file, text);
  console.log(`${file} is written; build before you go on`);
}

/** Prints a table, and puts it into the document when that is wanted. */
function show(name, table) {
  console.log(`\n${table}`);
  if (!options.docs) return;
  const file = 'docs/model.md';
  writeFileSync(file, withTable(readFileSync(file, 'utf8'), name, table));
}

const { values: options } = parseArgs({
  options: {
    fit: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    'leave-one-out': { type: 'boolean', default: false },
    only: { type: 'string' },
    docs: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  const header = readFileSync(import.meta.filename, 'utf8').split('\nimport ')[0];
  console.log(header.replace(/^\/\/ ?/gm, ''));
  process.exit(0);
}
const workloads = Object.keys(bounds);
if (options.only !== undefined && !workloads.includes(options.only)) {
  console.error(`error: there is no workload '${options.only}'\nhint: they are ${workloads.join(' and ')}`);
  process.exit(2);
}

const all = native().modelConstants();
const defaults = Object.fromEntries(all.map(({ name, value }) => [name, value]));
const fitted = all.filter(({ source }) => source === 'fitted').map(({ name }) => name);
const names = {
  usemem30: fitted.filter((name) => !name.startsWith('build_')),
  [build]: fitted.filter((name) => name.startsWith('build_')),
};
const isWanted = ({ workload }) => options.only === undefined || workload === options.only;
const cells = publishedV9.cells;
const allFitted = cells.filter(isFitted);
const fittedValues = sum(allFitted.map(({ workload }) => Object.keys(bounds[workload]).length));
console.log(`${fitted.length} constants are fitted to ${fittedValues} values of ${allFitted.length} cells`);
if (2 * fitted.length >= fittedValues) throw new Error('that is not less than half of the fitted values');

if (options['leave-one-out']) {
  for (const workload of workloads.filter((each) => isWanted({ workload: each }))) {
    const own = allFitted.filter((cell) => cell.workload === workload);
    show(`${workload}, one left out`, await leaveOneOut(own, defaults, names[workload]));
  }
} else {
  let constants = defaults;
  if (options.fit) {
    // The build's stand on those of usemem.
    for (const workload of workloads.filter((each) => isWanted({ workload: each }))) {
      const own = allFitted.filter((cell) => cell.workload === workload);
      constants = await fit(names[workload], own, constants, console.log);
    }
    for (const name of fitted) console.log(`${name} ${defaults[name]} -> ${constants[name]}`);
    if (options.write) writeConstants(constants, fitted);
  }
  for (const workload of workloads.filter((each) => isWanted({ workload: each }))) {
    const own = cells.filter((cell) => cell.workload === workload);
    const results = await runCells(own, constants, wholeRuns);
    if (workload === build) {
      for (const cell of own) await addGiven(cell, results.get(nameOf(cell)), constants);
    }
    show(workload, cellsTable(own, results, constants));
    if (workload === 'usemem30') show('gains', gainsTable(results, constants));
  }
  if (options.docs) show('constants', constantsTable(all));
}
