// Tries a plan on a machine in memory that reacts as the kernel does: what a test suite of your own can do, without IAA
// and without root. Prints what was set, and that all of it is as before in the end.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { apply, cellsOf, discover, hostPath, parseExperiment, plan, verify } from 'iaa-zswap';
import { buildMachine, mockHost } from 'iaa-zswap/testing';

const experiment = parseExperiment(
  `name: two-wqs
matrix: { compressor: [deflate-iaa], folio: [64kB] }
iaa: { wqs: [{ size: 64 }, { size: 64 }], driver: { g_comp_wqs_per_iaa: 1, distribute_comps: true } }
workload: { usemem: { size: 1g } }
`,
  'two-wqs.yaml',
);
const [cell] = cellsOf(experiment);
if (cell === undefined) throw new Error('no cell');

await using host = mockHost(buildMachine({ kernel: 'v9', iaaPerPackage: 2 }));
const size = hostPath('/sys/bus/dsa/devices/iax1/wq1.1/size');
const stateDirectory = mkdtempSync(join(tmpdir(), 'two-wqs-'));
try {
  const inventory = await discover(host);
  const wanted = plan(inventory, experiment, cell);
  {
    // The machine is put back where this block ends, whatever happens in it.
    await using applied = await apply(host, wanted, { inventory, stateDirectory });
    console.log(
      `${applied.receipts.length} steps, wq1.1 has ${(await host.read([size]))[0]?.trim()} entries`,
    );
    console.log(`differences from the plan: ${(await verify(host, wanted)).length}`);
  }
  console.log(`wq1.1 has ${(await host.read([size]))[0]?.trim()} entries as before`);
} finally {
  rmSync(stateDirectory, { recursive: true });
}
