/** What topology and doctor say of each machine. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import { renderDiagnoses } from '../../src/cli/doctor.js';
import { printable } from '../../src/cli/terminal.js';
import { renderTopology } from '../../src/cli/topology.js';
import { examine } from '../../src/doctor/doctor.js';
import { openHost } from '../../src/host/open.js';
import { packageRoot } from '../../src/native/load.js';
import { hostTree } from '../../src/testing/index.js';
import { assertGolden } from '../support/golden.js';

const directory = join(packageRoot(), 'test/hosts');

describe('the topology and the diagnoses of each machine', () => {
  for (const file of readdirSync(directory).filter((name) => name.endsWith('.host'))) {
    const name = basename(file, '.host');
    test(name, async () => {
      using tree = hostTree(readFileSync(join(directory, file), 'utf8'));
      const host = await openHost(`root:${tree.root}`, { writable: false });
      try {
        const { inventory, diagnoses } = await examine(host);
        assertGolden(`topology/${name}.txt`, `${printable(renderTopology(inventory))}\n`);
        assertGolden(`doctor/${name}.txt`, `${printable(renderDiagnoses(diagnoses))}\n`);
      } finally {
        await host.close();
      }
    });
  }
});
