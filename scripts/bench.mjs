// Measures parts of this package beside a yardstick: npm run bench [-- NAME...]. Each NAME is a file of
// scripts/bench; without one all are run. The contenders of a bench take turns within one go, so that what else
// the machine does meets them alike: believe the ratios, not the absolute numbers (docs/performance.md).
import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describeMachine, MissingError } from './measure.mjs';

const directory = dirname(fileURLToPath(import.meta.url));
process.chdir(dirname(directory));

const names = readdirSync(join(directory, 'bench'))
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => file.slice(0, -'.mjs'.length))
  .sort();
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !names.includes(name));
if (unknown !== undefined) {
  console.error(`error: there is no bench '${unknown}'\nhint: the benches are ${names.join(', ')}`);
  process.exit(2);
}

console.log(describeMachine());
for (const name of wanted.length > 0 ? wanted : names) {
  const { run } = await import(`./bench/${name}.mjs`);
  console.log(`\n== ${name}`);
  try {
    await run();
  } catch (error) {
    if (!(error instanceof MissingError)) throw error;
    console.error(`error: ${error.message}\nhint: ${error.hint}`);
    process.exitCode = 1;
  }
}
