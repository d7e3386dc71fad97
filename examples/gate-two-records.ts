// For continuous integration: ends with exit code 6 when the second record is more than 3% slower than the first.
//   node gate-two-records.js RECORD RECORD
import {
  compare,
  compareTables,
  ExitCode,
  gate,
  gateLines,
  parseCondition,
  readRecord,
  sampledSet,
  study,
} from 'iaa-zswap';

const [base, changed] = await Promise.all(
  process.argv
    .slice(2, 4)
    .map(async (directory) => sampledSet(directory, [study(await readRecord(directory))])),
);
if (base === undefined || changed === undefined) throw new Error('name two records');
const verdict = gate([parseCondition('throughput < -3%')], base, changed);
console.log(compareTables(compare(base, changed)));
console.log(gateLines(verdict));
process.exitCode = verdict.fires ? ExitCode.checkSaidNo : ExitCode.done;
