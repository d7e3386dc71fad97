// Runs usemem in guests (docs/guest.md) and on a model of their size, and prints what both count: pages that an event of
// memory.high stores, the effect of an early exit, folios without a run of swap entries, compressed bytes a page. Counters
// only: the guest's times are QEMU's. Takes half an hour.
//
//     scripts/pin-model [KERNEL...]    kernels in the guest's cache, as 7.3.4 (default: all)
//     ... --docs                       puts the table into docs/model.md
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const { nativeConfig } = await import('../build/test/src/model/native-config.js');
const { native } = await import('../build/test/src/native/load.js');
const { markdownTable, withTable } = await import('../build/test/test/support/model-tables.js');

const mib = 2 ** 20;
const cpus = 2;
const guestMemoryMib = 2048;
/** The model's name of a guest's kernel. */
function modelKernel(release) {
  if (release.startsWith('6.12')) return 'mainline 6.12';
  return release.startsWith('7.') ? 'mainline 7.3' : 'mainline 6.18';
}

const folioOrders = { '4k': 0, '64k': 4, '2048k': 9 };

/** What is run: usemem of `processes` times `sizeMib`, bound to two CPUs, under memory.high. */
const plain = { what: 'events', compressor: 'zstd', folio: '64k', processes: 2, sizeMib: 64, highMib: 96 };
const points = [
  // Long sleeps keep an end that comes early by chance from having an effect.
  ...Object.keys(folioOrders).flatMap((folio) =>
    [96, 48].map((highMib) => ({ ...plain, folio, highMib, sleep: 30 })),
  ),
  { ...plain, compressor: 'deflate-iaa', sleep: 60 },
  // Of three processes on two CPUs one is alone and done first.
  ...[0, 120].map((sleep) => ({
    ...plain,
    what: 'early exit',
    processes: 3,
    sizeMib: 48,
    highMib: 72,
    sleep,
  })),
  // Under 48 MiB some 90 MiB of swap are needed.
  { ...plain, what: 'little swap', highMib: 48, sleep: 30, swapMib: 96 },
];
const swapOf = ({ swapMib = 4096 }) => swapMib;
const devicesOf = ({ compressor }) => (compressor === 'deflate-iaa' ? 2 : 0);
const guestOf = (point) => `${swapOf(point)} ${devicesOf(point)}`;
/** idxd does not load before 6.15, where CPUs cannot be given MOVDIR64B. */
const runsOn = (release) => (point) => devicesOf(point) === 0 || modelKernel(release) !== 'mainline 6.12';

/** Runs this package's program; gives its stdout. */
function program(...argv) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli.js', ...argv], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`iaa-zswap ${argv.join(' ')}: ${stderr}`);
  return stdout;
}

const experimentOf = (point) => `name: pin
matrix:
  compressor: [${point.compressor}]
  folio: [${point.folio}B]
zswap:
  max_pool_percent: 50
  shrinker_enabled: false
vm:
  page-cluster: 0
cgroup:
  memory.high: ${point.highMib}M
  memory.swap.max: max
workload:
  usemem:
    processes: ${point.processes}
    size: ${point.sizeMib}M
    bind: 1
    sleep_s: ${point.sleep}
limits:
  time_s: 900
`;

/** What both sides count. */
function rowsOf(values) {
  const { zswpout, pswpout, events, whole, fallbacks, bytes } = values;
  return { stored: zswpout + pswpout, perEvent: (zswpout + pswpout) / events, whole, fallbacks, bytes };
}

function inGuest(folder, directory, point) {
  const file = join(directory, 'pin.yaml');
  writeFileSync(file, experimentOf(point));
  const set = JSON.parse(
    program('vm', 'run', '--json', '--dir', folder, '--state', join(directory, 'state'), file),
  );
  const [{ values, invalid, failures }] = set.cells;
  const wrong = [...invalid, ...failures];
  if (wrong.length > 0) throw new Error(`${JSON.stringify(point)}: ${wrong.join('; ')}`);
  const { folio } = point;
  return rowsOf({
    zswpout: values.zswpout,
    pswpout: values.pswpout,
    events: values.memcg_high,
    whole: (values[`ZSWPOUT-${folio}B`] ?? 0) + (values[`SWPOUT-${folio}B`] ?? 0),
    fallbacks: values[folio === '2048k' ? 'thp_swpout_fallback' : `${folio}B_swpout_fallback`] ?? 0,
    bytes: values.compressed_bytes_per_page,
  });
}

async function onModel(release, point) {
  const taskPages = (point.sizeMib * mib) / 4096;
  const config = nativeConfig({
    machine: {
      name: 'guest',
      packages: 2,
      nodesPerPackage: 1,
      coresPerPackage: cpus / 2,
      threadsPerCore: 1,
      iaaPerPackage: devicesOf(point) / 2,
      enginesPerIaa: 8,
      memoryBytes: guestMemoryMib * mib,
      swapBytes: swapOf(point) * mib,
    },
    kernel: modelKernel(release),
    compressor: point.compressor,
    maxPoolPercent: 50,
    folioOrder: folioOrders[point.folio],
    memoryHighBytes: point.highMib * mib,
    wqs: [{ size: 128 }],
    content: 'counter',
    sampleIntervalNs: 1e6,
    workload: {
      kind: 'usemem',
      tasks: point.processes,
      bindInterval: 1,
      taskPages,
      unitPages: taskPages,
      stepBytes: 8,
      sleepNs: point.sleep * 1e9,
    },
  });
  // What the guest's encoders make of these pages, not the letter's.
  const model = native().openModel({ ...config, content: { ...config.content, calibrated: false } });
  if (typeof model === 'string') throw new Error(model);
  const ended = await model.advance(Number.POSITIVE_INFINITY);
  if (ended !== true) throw new Error(String(ended));
  const counters = model.counters();
  const names = native().modelCounters();
  const { values } = model.takeSamples();
  const column = (name) => values.filter((_, i) => i % names.length === names.indexOf(name));
  const zswapped = column('memory.stat.zswapped');
  const most = zswapped.indexOf(Math.max(...zswapped));
  return rowsOf({
    zswpout: counters['vmstat.zswpout'],
    pswpout: counters['vmstat.pswpout'],
    events: counters['memory.events.high'],
    whole: counters['hugepages.zswpout'] + counters['hugepages.swpout'],
    fallbacks: counters['hugepages.swpout_fallback'],
    bytes: zswapped[most] > 0 ? (column('memory.stat.zswap')[most] / zswapped[most]) * 4096 : undefined,
  });
}

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { docs: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
});
if (options.help) {
  const header = readFileSync(import.meta.filename, 'utf8').split('\nimport ')[0];
  console.log(header.replace(/^\/\/ ?/gm, ''));
  process.exit(0);
}

const cache = join(process.env.IAA_ZSWAP_CACHE ?? join(homedir(), '.cache/iaa-zswap'), 'guest');
const cached = readdirSync(cache).filter((name) => /^\d/.test(name));
const wanted =
  positionals.length === 0
    ? cached
    : cached.filter((name) => positionals.some((word) => name.startsWith(word)));
if (wanted.length === 0) throw new Error(`no such kernel in ${cache}: ${cached.join(', ')}`);

const number = (value) => (value === undefined ? '' : Math.round(value).toLocaleString('en-US'));
const lines = [];
const directory = mkdtempSync(join(tmpdir(), 'pin-model-'));
try {
  for (const release of wanted) {
    const here = points.filter(runsOn(release));
    for (const [place, kind] of [...new Set(here.map(guestOf))].entries()) {
      const alike = here.filter((point) => guestOf(point) === kind);
      const [first] = alike;
      const folder = join(directory, `guest-${release}-${place}`);
      const hardware = [
        ...['--memory', String(guestMemoryMib)],
        ...['--swap', `${swapOf(first)}M`],
        ...['--devices', String(devicesOf(first))],
      ];
      program('vm', 'start', '--dir', folder, '--kernel', release, ...hardware);
      try {
        for (const point of alike) {
          const [guest, model] = [inGuest(folder, directory, point), await onModel(release, point)];
          const { what, compressor, folio, processes, sizeMib, highMib, sleep } = point;
          const setting = `${processes} x ${sizeMib} MiB under ${highMib}, \`-s ${sleep}\``;
          const pairs = ['stored', 'perEvent', 'whole', 'fallbacks', 'bytes'].map(
            (row) => `${number(guest[row])} / ${number(model[row])}`,
          );
          lines.push([
            release.replace(/[-~].*/, ''),
            `${what}: ${compressor} ${folio}, ${setting}`,
            ...pairs,
          ]);
          console.log(lines.at(-1).join(' | '));
        }
      } finally {
        program('vm', 'stop', '--dir', folder);
      }
    }
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
const columns = [
  'kernel',
  'guest / model',
  'pages out',
  'pages an event',
  'whole folios',
  'fallbacks',
  'bytes a page',
];
const table = markdownTable(columns, columns.slice(2), lines);
console.log(`\n${table}`);
if (options.docs) {
  writeFileSync('docs/model.md', withTable(readFileSync('docs/model.md', 'utf8'), 'guest', table));
}
