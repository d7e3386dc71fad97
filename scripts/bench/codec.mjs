// The codec beside igzip, libdeflate, zlib and lz4 (test/bench/codec_bench.cc), and its batch call from JavaScript. The
// corpora are made from this machine, so ratios differ between machines; times are to be compared within one run.
// Kernel modules are taken from $MODULES, or /lib/modules.
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const pageBytes = 4096;
const corpusPages = 500;
const rounds = 15;
const directory = 'build/bench';

/** At most corpusPages of the pages, evenly from all of them. */
function thin(pages) {
  const step = Math.max(1, pages.length / corpusPages);
  const taken = [];
  for (let at = 0; at < pages.length && taken.length < corpusPages; at += step)
    taken.push(pages[Math.floor(at)]);
  return taken;
}

/** Whole pages of the files below a folder that `wanted` takes, without zero pages. */
function pagesBelow(folder, wanted, mostFiles) {
  if (!existsSync(folder)) return [];
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && wanted(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  const step = Math.max(1, Math.floor(files.length / mostFiles));
  const pages = [];
  for (let index = 0; index < files.length; index += step) {
    if (statSync(files[index]).size > 1 << 22) continue;
    const data = readFileSync(files[index]);
    for (let at = 0; at + pageBytes <= data.length; at += pageBytes) {
      const page = data.subarray(at, at + pageBytes);
      if (page.some((byte) => byte !== 0)) pages.push(page);
    }
  }
  return pages;
}

/** Anonymous pages of this very process, with some objects in its heap. */
function heapPages() {
  const kept = Array.from({ length: 300 }, (_, i) =>
    JSON.parse(
      JSON.stringify({
        i,
        list: Array.from({ length: 200 }, (_, k) => ({ k, v: Math.sin(k * i), s: `str${k * i}` })),
      }),
    ),
  );
  const memory = openSync('/proc/self/mem', 'r');
  const pages = [];
  for (const line of readFileSync('/proc/self/maps', 'utf8').split('\n')) {
    const range = /^([0-9a-f]+)-([0-9a-f]+) rw.p \S+ \S+ 0\s/.exec(line);
    if (range === null) continue;
    for (let at = Number.parseInt(range[1], 16); at < Number.parseInt(range[2], 16); at += pageBytes) {
      const page = Buffer.alloc(pageBytes);
      try {
        readSync(memory, page, 0, pageBytes, at);
      } catch {
        break; // unmapped meanwhile
      }
      if (page.some((byte) => byte !== 0)) pages.push(page);
    }
  }
  closeSync(memory);
  if (kept.length === 0) throw new Error('the objects were collected');
  return pages;
}

/** usemem's pages: ascending 64-bit counters. */
function counterPages() {
  return Array.from({ length: corpusPages }, (_, page) => {
    const words = new BigUint64Array(512);
    for (let i = 0; i < 512; i++) words[i] = BigInt(page * 512 * 37 + i);
    return Buffer.from(words.buffer);
  });
}

function writeCorpora(modules) {
  mkdirSync(directory, { recursive: true });
  const corpora = {
    heap: heapPages(),
    programs: pagesBelow('/usr/bin', () => true, 60),
    modules: pagesBelow(modules, (name) => name.endsWith('.ko'), 200),
    text: pagesBelow('/usr/share', (name) => /\.(txt|py|pl|vim|md|h)$/.test(name), 300),
    usemem: counterPages(),
    random: [randomBytes(corpusPages * pageBytes)],
    zero: [Buffer.alloc(corpusPages * pageBytes)],
  };
  const files = [];
  for (const [name, pages] of Object.entries(corpora)) {
    if (pages.length === 0) {
      console.error(`bench: no corpus '${name}' on this machine`);
      continue;
    }
    const file = join(directory, name);
    writeFileSync(file, Buffer.concat(pages.length === 1 ? pages : thin(pages)));
    files.push(file);
  }
  return files;
}

function buildBench() {
  const program = join(directory, 'codec_bench');
  const sources = readdirSync('native/codec')
    .filter((name) => name.endsWith('.cc') && !['batch.cc', 'compressor.cc'].includes(name))
    .map((name) => join('native/codec', name));
  const libraries = [
    ['isal', '/usr/include/isa-l/igzip_lib.h'],
    ['deflate', '/usr/include/libdeflate.h'],
    ['lz4', '/usr/include/lz4.h'],
    ['z', '/usr/include/zlib.h'],
  ].flatMap(([name, header]) => (existsSync(header) ? [`-l${name}`] : []));
  const built = spawnSync(
    'g++',
    ['-std=c++20', '-O3', '-Inative', 'test/bench/codec_bench.cc', ...sources, ...libraries, '-o', program],
    { stdio: 'inherit' },
  );
  if (built.status !== 0) throw new Error('codec_bench was not built');
  return program;
}

/** Nanoseconds a page of the batch call from JavaScript, the median of the rounds, on one thread. */
function batchTime(file) {
  const addon = createRequire(import.meta.url)(join(process.cwd(), 'build/Release/iaa_zswap.node'));
  const data = readFileSync(file);
  const memory = new ArrayBuffer(data.length * 3);
  new Uint8Array(memory).set(data);
  const count = data.length / pageBytes;
  const slots = new Uint32Array(4 * count);
  for (let i = 0; i < count; i++)
    slots.set([i * pageBytes, pageBytes, data.length + i * 2 * pageBytes, 2 * pageBytes], 4 * i);
  const outcomes = new Int32Array(count);
  const compressor = addon.openCompressor('deflate-iaa');
  const times = [];
  for (let round = 0; round < rounds; round++) {
    const start = process.cpuUsage();
    compressor.runBatch(true, memory, slots, outcomes, 1);
    const { user, system } = process.cpuUsage(start);
    times.push(((user + system) * 1000) / count);
  }
  return times.sort((a, b) => a - b)[rounds >> 1];
}

/** Prints the tables. */
export function run() {
  const files = writeCorpora(process.env.MODULES ?? '/lib/modules');
  const program = buildBench();
  const done = spawnSync(program, [String(rounds), ...files], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (done.status !== 0) throw new Error(`${program} failed`);

  const rows = done.stdout
    .trimEnd()
    .split('\n')
    .map((line) => {
      const [file, what, name, ratio, time] = line.split('\t');
      return {
        corpus: file.slice(directory.length + 1),
        what,
        name,
        ratio: Number(ratio),
        time: Number(time),
      };
    });
  for (const what of ['encode', 'decode']) {
    const names = [...new Set(rows.filter((row) => row.what === what).map(({ name }) => name))];
    const reference = what === 'encode' ? 'igzip static' : 'libdeflate';
    console.log(
      `\n${what}: us a page${what === 'encode' ? ' (ratio)' : ''}; times are also relative to ${reference}\n`,
    );
    console.log(`| corpus | ${names.join(' | ')} |`);
    console.log(`| --- |${' ---: |'.repeat(names.length)}`);
    for (const corpus of new Set(rows.map((row) => row.corpus))) {
      const cells = names.map((name) => {
        const find = (wanted) =>
          rows.find((row) => row.corpus === corpus && row.what === what && row.name === wanted);
        const { time, ratio } = find(name);
        const relative = find(reference) === undefined ? '' : ` ${(find(reference).time / time).toFixed(2)}x`;
        return `${(time / 1000).toFixed(2)}${relative}${what === 'encode' ? ` (${ratio.toFixed(3)})` : ''}`;
      });
      console.log(`| ${corpus} | ${cells.join(' | ')} |`);
    }
  }
  console.log('\nbatch from JavaScript, iaa1-fixed, one thread: us a page, and rate relative to C++\n');
  for (const file of files) {
    const time = batchTime(file);
    const corpus = file.slice(directory.length + 1);
    const native = rows.find((row) => row.corpus === corpus && row.name === 'iaa1-fixed')?.time;
    console.log(`| ${corpus} | ${(time / 1000).toFixed(2)} | ${(native / time).toFixed(2)} |`);
  }
}
