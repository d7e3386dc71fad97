// The model's own speed: usemem30 of the cover letter at growing sizes up to the full one, and the same with a task on
// each CPU of a 384-CPU Granite Rapids. Each run is a process of its own, whose peak memory is then the run's; seconds
// are CPU time of the whole process. Needs the compiled tests: scripts/test --only types.
import { fileURLToPath } from 'node:url';
import { existing, output } from '../measure.mjs';

const compiled = new URL('../../build/test/src/', import.meta.url);

const cells = {
  sequential: { compressor: 'deflate-iaa', kernel: 'mm-unstable-4-21-2025' },
  batched: { compressor: 'deflate-iaa', kernel: 'v9' },
  zstd: { compressor: 'zstd', kernel: 'v9' },
};

/** What is run, and in what bounds it has to stay: seconds of a core, MB. */
const runs = [
  ...[1 / 64, 1 / 8, 1].map((part) => ({ cell: 'batched', folio: '64k', part })),
  { cell: 'sequential', folio: '64k', part: 1 },
  { cell: 'zstd', folio: '64k', part: 1 },
  { cell: 'batched', folio: '2048k', part: 1 },
  { cell: 'batched', folio: '64k', part: 1, machine: 'gnr-2s-6n' },
];
const bounds = {
  'spr-2s': { seconds: 10, megabytes: 256 },
  'gnr-2s-6n': { seconds: 60, megabytes: Infinity },
};

/** One run, in this process. */
async function once({ cell, folio, part, machine }) {
  const { letterSettings } = await import(`${compiled}model/letter.js`);
  const { gnr2s6n } = await import(`${compiled}model/machine.js`);
  const { nativeConfig } = await import(`${compiled}model/native-config.js`);
  const { native } = await import(`${compiled}native/load.js`);
  let settings = letterSettings({ workload: 'usemem30', folio, ...cells[cell] }, part);
  if (machine !== undefined) {
    // A task on each CPU, and a limit of half of what they write, as in the letter.
    const { workload } = settings;
    const tasks = gnr2s6n.packages * gnr2s6n.coresPerPackage * gnr2s6n.threadsPerCore;
    const taskPages = Math.round((workload.taskPages * 30) / tasks);
    settings = {
      ...settings,
      machine: gnr2s6n,
      workload: { ...workload, tasks, taskPages, unitPages: taskPages },
    };
  }
  const model = native().openModel(nativeConfig(settings));
  if (typeof model === 'string') throw new Error(model);
  const before = process.cpuUsage();
  await model.advance(Number.POSITIVE_INFINITY);
  const { user, system } = process.cpuUsage(before);
  return {
    seconds: (user + system) / 1e6,
    events: model.events(),
    virtualSeconds: model.now() / 1e9,
    megabytes: process.resourceUsage().maxRSS / 1024,
  };
}

export async function run() {
  existing('build/test/src/model/letter.js', "compile it: 'scripts/test --only types'");
  const self = fileURLToPath(import.meta.url);
  console.log('| run | of full size | virtual s | CPU s | events | million events a second | MB |');
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |');
  for (const each of runs) {
    const machine = each.machine ?? 'spr-2s';
    const { seconds, events, virtualSeconds, megabytes } = JSON.parse(
      output(process.execPath, self, JSON.stringify(each)),
    );
    const cells = [
      `${machine} ${each.folio} ${each.cell}`,
      each.part,
      virtualSeconds.toFixed(1),
      seconds.toFixed(2),
      events,
      (events / seconds / 1e6).toFixed(1),
      megabytes.toFixed(0),
    ];
    console.log(`| ${cells.join(' | ')} |`);
    const bound = bounds[machine];
    if (seconds <= bound.seconds && megabytes <= bound.megabytes) continue;
    console.log(`more than ${bound.seconds} s or ${bound.megabytes} MB`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(await once(JSON.parse(process.argv[2]))));
}
