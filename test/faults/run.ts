// Tries every fault at every change of every case: node build/test/test/faults/run.js [--every N] [--case WORDS]
// Prints a line for each case; exit 1 when a point did not come out as it must.
import { parseArgs } from 'node:util';
import { faultCases } from '../support/fault-cases.js';
import { FaultTrial, type Outcome } from '../support/fault-points.js';

const { values } = parseArgs({
  options: { every: { type: 'string', default: '1' }, case: { type: 'string', default: '' } },
});
const every = Number(values.every);
const shownFailures = 20;
let failures = 0;
for (const each of faultCases.filter(({ name }) => name.includes(values.case))) {
  const trial = await FaultTrial.of(each);
  const counts: Record<Outcome, number> = { restored: 0, 'exit 5': 0, killed: 0 };
  let failed = 0;
  const points = [...trial.points()].filter((_, index) => index % every === 0);
  for (const point of points) {
    try {
      counts[await point()] += 1;
    } catch (error) {
      failed += 1;
      if (failures + failed <= shownFailures) console.error(error instanceof Error ? error.message : error);
    }
  }
  failures += failed;
  console.log(
    `${each.name}: ${points.length} points tried: ${counts.restored} put back by the tool itself; ` +
      `${counts['exit 5']} with exit 5 and ${counts.killed} killed, all put back by a later restore; ${failed} FAILED`,
  );
}
process.exitCode = failures === 0 ? 0 : 1;
