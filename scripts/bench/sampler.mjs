// All counters of this machine at 1 kHz: Host.sample beside plain loops in Node, each in a process of its own. CPU is
// that of the whole process, as share of one CPU; late is from a tick to the begin of its reading.
import { openSync, readFileSync, readSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { existing, output, table, takeTurns } from '../measure.mjs';

const intervalNs = 1e6;
const seconds = 3;
const rounds = 9;

const contenders = {
  'Host.sample': sample,
  'kept descriptors and readSync': () => loop(keptReader),
  readFileSync: () =>
    loop(
      ({ path }) =>
        () =>
          readFileSync(path, 'utf8'),
    ),
};

async function library() {
  return import('../../dist/index.js');
}

/** Runs `work` with the live host and all its counters; CGROUP names a group whose counters are read too. */
async function measured(work) {
  const { counterSources, hostPath, openHost } = await library();
  const host = await openHost('live', { writable: false });
  const group = process.env.CGROUP;
  const sources = await counterSources(host, group === undefined ? undefined : hostPath(group));
  const usage = await work(host, sources);
  await host.close();
  return usage;
}

/** CPU time of this process since `before`, in percent of the time since `begin`. */
function cpuPercent(before, begin) {
  const { user, system } = process.cpuUsage(before);
  return ((user + system) / Number(process.hrtime.bigint() - begin)) * 1e5;
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function sample() {
  return measured(async (host, sources) => {
    const sampling = await host.sample({ sources, intervalNs });
    const [before, begin] = [process.cpuUsage(), process.hrtime.bigint()];
    let bytes = 0;
    for (let second = 0; second < seconds; second += 1) {
      await sleep(1000);
      bytes += sampling.take().length;
    }
    const cpu = cpuPercent(before, begin);
    sampling.stop();
    const { rows, missed, dropped, lateNs, readingNs } = sampling.statistics();
    return {
      files: sources.length - sampling.leftOut.length,
      counters: sampling.columns.length,
      cpu,
      p99: lateNs.p99 / 1000,
      lost: (100 * (missed + dropped)) / (rows + missed + dropped),
      reading: readingNs.p50 / 1000,
      bytes: bytes / rows,
    };
  });
}

/** Reads a file anew from its descriptor. */
function keptReader({ path }) {
  const fd = openSync(path);
  const buffer = Buffer.alloc(65536);
  return () => {
    let length = 0;
    for (;;) {
      const count = readSync(fd, buffer, length, buffer.length - length, length);
      if (count === 0) return buffer.toString('latin1', 0, length);
      length += count;
    }
  };
}

/** The numbers of a text, in order. */
function numbersOf(text, format) {
  if (format === 'number') return [BigInt(text)];
  const numbers = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const value =
      format === 'flat' ? line.slice(line.indexOf(' ') + 1) : line.slice(line.lastIndexOf('=') + 1);
    numbers.push(BigInt(value));
  }
  return numbers;
}

async function loop(readerOf) {
  return measured(async (host, sources) => {
    const probe = await host.sample({ sources, intervalNs: 1e10 });
    probe.stop();
    const left = new Set(probe.leftOut.map(({ path }) => path));
    const files = sources.filter(({ path }) => !left.has(path));
    const readers = files.map((source) => ({ read: readerOf(source), format: source.format }));
    const late = [];
    const reading = [];
    const [before, begin] = [process.cpuUsage(), process.hrtime.bigint()];
    const ticks = (seconds * 1e9) / intervalNs;
    for (let tick = 0; tick < ticks; ) {
      const due = begin + BigInt(tick * intervalNs);
      const wait = Number(due - process.hrtime.bigint()) / 1e6;
      // Node's timers know whole milliseconds, and may come before them.
      if (wait > 0) {
        await sleep(wait);
        continue;
      }
      const from = process.hrtime.bigint();
      late.push(Number(from - due) / 1000);
      for (const { read, format } of readers) numbersOf(read(), format);
      const to = process.hrtime.bigint();
      reading.push(Number(to - from) / 1000);
      tick = Math.max(tick + 1, Math.floor(Number(to - begin) / intervalNs) + 1);
    }
    const cpu = cpuPercent(before, begin);
    const at = (values, share) => values.sort((a, b) => a - b)[Math.ceil(values.length * share) - 1];
    return {
      files: files.length,
      counters: probe.columns.length,
      cpu,
      p99: at(late, 0.99),
      lost: 100 * (1 - late.length / ticks),
      reading: at(reading, 0.5),
    };
  });
}

export async function run() {
  existing('dist/index.js', "build it: 'npm run build'");
  const self = fileURLToPath(import.meta.url);
  const measure = (name) => () => JSON.parse(output(process.execPath, self, name));
  const values = await takeTurns(
    Object.fromEntries(Object.keys(contenders).map((name) => [name, measure(name)])),
    rounds,
  );
  const [{ files, counters }] = values['Host.sample'];
  console.log(`${counters} counters of ${files} files, every ${intervalNs / 1e6} ms for ${seconds} s`);
  const only = (key) =>
    Object.fromEntries(Object.entries(values).map(([name, own]) => [name, own.map((one) => one[key])]));
  console.log(`\n${table(only('cpu'), 'percent of one CPU')}`);
  console.log(`\n${table(only('p99'), 'us late, p99 of a go')}`);
  console.log(`\n${table(only('reading'), 'us for one row, median of a go')}`);
  console.log('\npercent of the ticks that are missing');
  for (const [name, own] of Object.entries(only('lost'))) {
    const sorted = own.toSorted((a, b) => a - b);
    console.log(`${name.padEnd(30)}${sorted[sorted.length >> 1].toFixed(2).padStart(10)}`);
  }
  const bytes = values['Host.sample'].map((one) => one.bytes).toSorted((a, b) => a - b);
  console.log(`\nbytes of a row, median: ${bytes[bytes.length >> 1].toFixed(0)}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(JSON.stringify(await contenders[process.argv[2]]()));
}
