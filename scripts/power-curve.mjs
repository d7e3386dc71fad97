// Simulates the tables of docs/statistics.md and writes them there; takes some minutes: node scripts/power-curve.mjs
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(dirname(dirname(fileURLToPath(import.meta.url))));

const { status } = spawnSync('node_modules/.bin/tsc', ['-p', 'tsconfig.test.json'], { stdio: 'inherit' });
if (status !== 0) process.exit(1);
const { powerTables } = await import('../build/test/test/support/power-tables.js');

const file = 'docs/statistics.md';
const [begin, end] = ['<!-- simulated -->', '<!-- end -->'];
const text = readFileSync(file, 'utf8');
const [from, to] = [text.indexOf(begin), text.indexOf(end)];
if (from === -1 || to < from) throw new Error(`${file} has no ${begin} ... ${end}`);
writeFileSync(file, `${text.slice(0, from + begin.length)}\n\n${powerTables()}\n\n${text.slice(to)}`);
