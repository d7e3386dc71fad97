// Runs an experiment on this machine and tells how it goes; Ctrl-C puts the machine back first. As root:
//   node watch-a-run.js EXPERIMENT.yaml STATE_DIRECTORY
import {
  experimentEvents,
  letterTables,
  measuredSet,
  openHost,
  readExperiment,
  readRecord,
  study,
} from 'iaa-zswap';

const [file = '', stateDirectory = ''] = process.argv.slice(2);
const experiment = await readExperiment(file);
const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());

await using host = await openHost('live', { writable: true });
const options = { stateDirectory, experimentFile: file, signal: interrupt.signal };
for await (const event of experimentEvents(host, experiment, options)) {
  switch (event.type) {
    case 'cell':
      console.log(`cell ${event.cell.number} of ${event.of}: ${event.stage}`);
      break;
    case 'failure':
      console.log(`cell ${event.cell.number} failed: ${event.message}`);
      break;
    case 'outcome':
      console.log(letterTables(measuredSet([study(await readRecord(event.outcome.directory))])));
  }
}
