// Fits the constants of native/model that are `fitted` to the cells of the cover letter that are for that, and sets every
// published cell beside the model and beside a baseline without its mechanisms (docs/model.md has the output).
//
//     scripts/calibrate                   all cells at full size with the constants as they are: a few minutes
//     scripts/calibrate --fit [--write]   fits first; --write puts the values into native/model/constants.h
//     scripts/calibrate --leave-one-out   fits again without each cell in turn, and says how far off that one then is
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { letterSettings } = await import('../build/test/src/model/letter.js');
const { nativeConfig } = await import('../build/test/src/model/native-config.js');
const { runModel, usememKbPerSecond } = await import('../build/test/src/model/run.js');
const { native } = await import('../build/test/src/native/load.js');
const { publishedV9 } = await import('../build/test/src/report/published-v9.js');

const second = 1e9;
const seeds = [1, 2, 3, 4];

/** The cells that constants are fitted to, and no others. */
const fitCells = [
  ['usemem30', '64k', 'deflate-iaa', 'mm-unstable-4-21-2025'],
  ['usemem30', '64k', 'deflate-iaa', 'v9'],
  ['usemem30', '64k', 'zstd', 'mm-unstable-4-21-2025'],
  ['usemem30', '64k', 'zstd', 'v9'],
  ['usemem30', '2048k', 'zstd', 'mm-unstable-4-21-2025'],
  ['kernel-build-allmodconfig', '64k', 'deflate-iaa', 'mm-unstable-4-21-2025'],
  ['kernel-build-allmodconfig', '64k', 'zstd', 'mm-unstable-4-21-2025'],
];

/** The values of a cell that are fitted, and what counts as an error of 1 there: what the model is to keep to. */
const weights = {
  usemem30: { total_throughput_kb_s: 0.06, elapsed_s: 0.12, sys_s: 0.12, zswpout: 0.03 },
  'kernel-build-allmodconfig': { real_s: 0.1, sys_s: 0.06, zswpout: 0.25, zswpin: 0.25 },
};

/** How much of a run the fit makes: usemem's rates do not depend on it, of a build several parts are averaged. */
function partOf(cell) {
  if (cell.workload !== 'usemem30') return 1 / 16;
  return cell.folio === '64k' ? 1 / 8 : 1 / 2;
}

const isBuild = (cell) => cell.workload !== 'usemem30';
const nameOf = (cell) => [cell.workload, cell.folio, cell.compressor, cell.kernel].join(' ');
const cells = publishedV9.cells;
const isFitted = (cell) => fitCells.some((keys) => keys.join(' ') === nameOf(cell));

/** The rows of the letter's tables that the model gives, from one run of a part of a cell. */
async function runOnce(cell, constants, part, seed) {
  const settings = { ...letterSettings(cell, part), constants, seed };
  const run = await runModel(nativeConfig(settings));
  const { counters } = run;
  const folioKb = cell.folio === '64k' ? 64 : 2048;
  const common = {
    sys_s: counters['cpu.system_ns'] / second / part,
    zswpout: counters['vmstat.zswpout'] / part,
    zswpin: counters['vmstat.zswpin'] / part,
    memcg_high: counters['memory.events.high'] / part,
    [`ZSWPOUT-${folioKb}kB`]: counters['hugepages.zswpout'] / part,
  };
  if (isBuild(cell)) {
    return {
      real_s: run.elapsedNs / second / part,
      user_s: counters['cpu.user_ns'] / second / part,
      pgmajfault: counters['vmstat.pgmajfault'] / part,
      ...common,
    };
  }
  const speeds = usememKbPerSecond(run, settings.workload.taskPages);
  return {
    total_throughput_kb_s: speeds.reduce((sum, speed) => sum + speed, 0),
    elapsed_s: run.elapsedNs / second / part,
    ...common,
  };
}

/** Means over the seeds; a whole run is not repeated. */
async function runCell(cell, constants, part) {
  const runs = [];
  for (const seed of part === 1 ? [1] : seeds) runs.push(await runOnce(cell, constants, part, seed));
  return Object.fromEntries(
    Object.keys(runs[0]).map((row) => [row, runs.reduce((sum, run) => sum + run[row], 0) / runs.length]),
  );
}

/** Runs cells side by side, two at a time. */
async function runCells(wanted, constants, partOfCell) {
  const results = new Map();
  const queue = [...wanted];
  const worker = async () => {
    for (let cell = queue.shift(); cell !== undefined; cell = queue.shift()) {
      results.set(nameOf(cell), await runCell(cell, constants, partOfCell(cell)));
    }
  };
  await Promise.all([worker(), worker()]);
  return results;
}

/** Relative errors of the fitted values of some cells, by what they may be. */
function residualsOf(wanted, results) {
  return wanted.flatMap((cell) =>
    Object.entries(weights[cell.workload]).map(
      ([row, weight]) => (results.get(nameOf(cell))[row] / cell.values[row] - 1) / weight,
    ),
  );
}

/** Solves a small symmetric system by Gauss's elimination. */
function solve(matrix, right) {
  const rows = matrix.map((row, i) => [...row, right[i]]);
  const size = rows.length;
  for (let i = 0; i < size; i++) {
    let pivot = i;
    for (let k = i + 1; k < size; k++) if (Math.abs(rows[k][i]) > Math.abs(rows[pivot][i])) pivot = k;
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    for (let k = i + 1; k < size; k++) {
      const factor = rows[k][i] / rows[i][i];
      for (let j = i; j <= size; j++) rows[k][j] -= factor * rows[i][j];
    }
  }
  const solution = Array(size).fill(0);
  for (let i = size - 1; i >= 0; i--) {
    const known = solution.reduce((sum, value, k) => sum + (k > i ? rows[i][k] * value : 0), 0);
    solution[i] = (rows[i][size] - known) / rows[i][i];
  }
  return solution;
}

/** Gauss-Newton on the logarithms of the constants, damped, each step at most a sixth. */
async function fit(names, wanted, start, say) {
  let constants = { ...start };
  let best = { cost: Number.POSITIVE_INFINITY, constants };
  for (let round = 0; round < 6; round++) {
    const base = residualsOf(wanted, await runCells(wanted, constants, partOf));
    const cost = base.reduce((sum, residual) => sum + residual ** 2, 0);
    if (cost < best.cost) best = { cost, constants };
    say(`round ${round}: sum of squares ${cost.toFixed(3)}`);
    const change = 0.05;
    const columns = [];
    for (const name of names) {
      const moved = { ...constants, [name]: Math.round(constants[name] * (1 + change)) };
      const exact = moved[name] / constants[name] - 1;
      const there = residualsOf(wanted, await runCells(wanted, moved, partOf));
      columns.push(there.map((residual, i) => (residual - base[i]) / exact));
    }
    const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
    const matrix = columns.map((a, i) =>
      columns.map((b, k) => dot(a, b) * (i === k ? 1.05 : 1) + (i === k ? 1e-6 : 0)),
    );
    const step = solve(
      matrix,
      columns.map((column) => -dot(column, base)),
    );
    constants = {
      ...constants,
      ...Object.fromEntries(
        names.map((name, i) => [
          name,
          Math.round(constants[name] * (1 + Math.max(-1 / 6, Math.min(1 / 6, step[i])))),
        ]),
      ),
    };
  }
  return best;
}

/** The fitted constants of usemem, and those of the build, which stand on them. */
function fittedNames() {
  const fitted = native()
    .modelConstants()
    .filter(({ source }) => source === 'fitted')
    .map(({ name }) => name);
  return {
    usemem: fitted.filter((name) => !name.startsWith('build_')),
    build: fitted.filter((name) => name.startsWith('build_')),
  };
}

/** Fits usemem's constants to its cells, then the build's to its own. */
async function fitAll(start, wanted, say) {
  const names = fittedNames();
  const usemem = await fit(
    names.usemem,
    wanted.filter((cell) => !isBuild(cell)),
    start,
    say,
  );
  const build = await fit(names.build, wanted.filter(isBuild), usemem.constants, say);
  return build.constants;
}

/** What a cell would be without mechanisms: all tasks alike, no queue, no lock, no event but of 64 pages, no freeing. */
function baseline(cell, constants) {
  if (isBuild(cell)) {
    const like = cells.find(
      (other) => isBuild(other) && isFitted(other) && other.compressor === cell.compressor,
    );
    return like.values;
  }
  const pages = 30 * 2621440;
  const tables = pages / 512;
  const bytes = constants[cell.compressor === 'zstd' ? 'counter_bytes_zstd' : 'counter_bytes_iaa'];
  const stored = (pages + tables - 150 * 2 ** 18) / (1 - bytes / 4096);
  const folioPages = cell.folio === '64k' ? 16 : 512;
  // Of the accelerator the latencies that the patches' author gives for a page.
  const compress = cell.compressor === 'zstd' ? constants.zstd_compress : cell.kernel === 'v9' ? 706 : 3503;
  const entry = constants[cell.kernel === 'v9' ? 'zswap_entry_v9' : 'zswap_entry_mainline'];
  const user = (pages * constants.usemem_write_page) / second;
  const system =
    (pages * (constants.clear_page + constants.fault / folioPages) +
      stored * (constants.reclaim_page + constants.contended_page + entry + compress)) /
    second;
  const seconds = (user + system) / 30;
  return {
    total_throughput_kb_s: (30 * ((2621440 * 4096 * 9) / 8 / 1024)) / seconds,
    elapsed_s: seconds + 10,
    sys_s: system,
    zswpout: stored,
    memcg_high: stored / Math.max(64, folioPages),
    [`ZSWPOUT-${cell.folio === '64k' ? 64 : 2048}kB`]: stored / folioPages,
  };
}

const rows = {
  usemem30: [
    'total_throughput_kb_s',
    'elapsed_s',
    'sys_s',
    'memcg_high',
    'zswpout',
    'ZSWPOUT-64kB',
    'ZSWPOUT-2048kB',
  ],
  'kernel-build-allmodconfig': [
    'real_s',
    'user_s',
    'sys_s',
    'zswpout',
    'zswpin',
    'ZSWPOUT-64kB',
    'ZSWPOUT-2048kB',
  ],
};

const percent = (value, published) =>
  `${value >= published ? '+' : ''}${((value / published - 1) * 100).toFixed(1)}%`;
const number = (value) => (value >= 10_000 ? Math.round(value).toLocaleString('en-US') : value.toFixed(2));

/** Every published cell: fitted to, structural (of a fitted cell, but not fitted) or predicted. */
function printCells(results, constants) {
  console.log('| cell | row | kind | published | model | error | baseline | error |');
  console.log('| --- | --- | --- | ---: | ---: | ---: | ---: | ---: |');
  for (const cell of cells) {
    const model = results.get(nameOf(cell));
    const plain = baseline(cell, constants);
    for (const row of rows[cell.workload]) {
      const published = cell.values[row];
      if (published === undefined || model[row] === undefined) continue;
      const kind = !isFitted(cell) ? 'predicted' : row in weights[cell.workload] ? 'fitted' : 'structural';
      const without =
        plain[row] === undefined ? ['', ''] : [number(plain[row]), percent(plain[row], published)];
      console.log(
        `| ${nameOf(cell)} | ${row} | ${kind} | ${number(published)} | ${number(model[row])} | ${percent(model[row], published)} | ${without.join(' | ')} |`,
      );
    }
  }
  console.log('\n| gain of IAA batching | published | model |\n| --- | ---: | ---: |');
  for (const folio of ['64k', '2048k']) {
    const gain = (read) => {
      const [before, after] = ['mm-unstable-4-21-2025', 'v9'].map((kernel) =>
        read(cells.find((cell) => nameOf(cell) === `usemem30 ${folio} deflate-iaa ${kernel}`)),
      );
      return `${((after / before - 1) * 100).toFixed(1)}%`;
    };
    const published = gain((cell) => cell.values.total_throughput_kb_s);
    const model = gain((cell) => results.get(nameOf(cell)).total_throughput_kb_s);
    console.log(`| usemem30 ${folio} | ${published} | ${model} |`);
  }
  console.log(
    '\n| build, sys by page stored, us | published | model | error |\n| --- | ---: | ---: | ---: |',
  );
  for (const cell of cells.filter(isBuild)) {
    const model = results.get(nameOf(cell));
    const [published, ours] = [cell.values, model].map(({ sys_s, zswpout }) => (sys_s / zswpout) * 1e6);
    console.log(
      `| ${nameOf(cell)} | ${published.toFixed(1)} | ${ours.toFixed(1)} | ${percent(ours, published)} |`,
    );
  }
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

const { values: options } = parseArgs({
  options: {
    fit: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    'leave-one-out': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  console.log(
    readFileSync(import.meta.filename, 'utf8')
      .split('\n')
      .slice(0, 7)
      .join('\n')
      .replaceAll('// ', ''),
  );
  process.exit(0);
}
const defaults = Object.fromEntries(
  native()
    .modelConstants()
    .map(({ name, value }) => [name, value]),
);
const names = fittedNames();
const wanted = cells.filter(isFitted);
const fittedValues = wanted.reduce((sum, cell) => sum + Object.keys(weights[cell.workload]).length, 0);
const count = names.usemem.length + names.build.length;
console.log(`${count} constants are fitted to ${fittedValues} values of ${wanted.length} cells`);
if (2 * count >= fittedValues) throw new Error('that is not less than half of the fitted values');

if (options['leave-one-out']) {
  console.log('| cell left out | row | published | model | error |\n| --- | --- | ---: | ---: | ---: |');
  for (const left of wanted) {
    const others = wanted.filter((cell) => cell !== left);
    const constants = isBuild(left)
      ? (await fit(names.build, others.filter(isBuild), defaults, () => {})).constants
      : (
          await fit(
            names.usemem,
            others.filter((cell) => !isBuild(cell)),
            defaults,
            () => {},
          )
        ).constants;
    const model = await runCell(left, constants, partOf(left));
    for (const row of Object.keys(weights[left.workload])) {
      const published = left.values[row];
      console.log(
        `| ${nameOf(left)} | ${row} | ${number(published)} | ${number(model[row])} | ${percent(model[row], published)} |`,
      );
    }
  }
} else {
  let constants = defaults;
  if (options.fit) {
    constants = await fitAll(defaults, wanted, console.log);
    for (const name of [...names.usemem, ...names.build])
      console.log(`${name} ${defaults[name]} -> ${constants[name]}`);
    if (options.write) writeConstants(constants, [...names.usemem, ...names.build]);
  }
  printCells(await runCells(cells, constants, () => 1), constants);
}
