import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { discover } from '../../../src/discover/discover.js';
import { ExperimentError, UsageError } from '../../../src/errors.js';
import { openHost } from '../../../src/host/open.js';
import { parseMachine, readMachine, shippedMachine, shippedMachines } from '../../../src/model/machine.js';
import { tempDirectory } from '../../support/temp-directory.js';

const small = `name: small
cpu: a processor
packages: 1
cores_per_package: 2
memory: 2g
kernel: mainline 7.3
`;

describe('machine files', () => {
  test('what is not given has its default', () => {
    assert.deepEqual(parseMachine(small, 'small.yaml'), {
      name: 'small',
      cpu: 'a processor',
      packages: 1,
      nodesPerPackage: 1,
      coresPerPackage: 2,
      threadsPerCore: 2,
      iaaPerPackage: 0,
      enginesPerIaa: 8,
      memoryBytes: 2 ** 31,
      swapBytes: 0,
      kernel: 'mainline 7.3',
    });
  });

  test('all that is wrong is told at once, each with its line and path', () => {
    const text = `name: Small
cpu: a processor
packages: 0
cores_per_package: two
sockets: 2
memory: 1500
kernel: v8
`;
    assert.throws(
      () => parseMachine(text, 'small.yaml'),
      (error) => {
        assert.ok(error instanceof ExperimentError);
        assert.deepEqual(
          error.issues.map(({ line, path, message }) => `${line} ${path}: ${message.slice(0, 44)}`),
          [
            '1 name: expected a short name of a-z, 0-9, . _ -',
            '3 packages: must be at least 1',
            '4 cores_per_package: expected number',
            '5 sockets: unknown key; known here: name, cpu, packages',
            '6 memory: expected a multiple of 1024 bytes, at most 4',
            '7 kernel: expected one of mainline 6.12, mm-unstable-4',
          ],
        );
        return true;
      },
    );
  });

  test('nodes divide the cores, and there are no more CPUs than Linux has', () => {
    const uneven = `${small}nodes_per_package: 3\n`.replace('cores_per_package: 2', 'cores_per_package: 4');
    assert.throws(() => parseMachine(uneven, 'x'), /nodes_per_package: must divide cores_per_package/);
    const many = small
      .replace('packages: 1', 'packages: 16')
      .replace('cores_per_package: 2', 'cores_per_package: 512');
    assert.throws(() => parseMachine(many, 'x'), /cores_per_package: more than 8192 CPUs/);
  });

  test('those of the package are named after their files', () => {
    assert.deepEqual(shippedMachines(), ['emr-2s', 'gnr-2s-6n', 'spr-2s']);
    for (const name of shippedMachines()) assert.equal(shippedMachine(name).name, name);
    assert.throws(
      () => shippedMachine('../spr-2s'),
      (error) => error instanceof UsageError && /emr-2s, gnr-2s-6n, spr-2s/.test(error.hint ?? ''),
    );
  });

  test('a file is read by its path; one that is not there is an error', async (t) => {
    const file = join(tempDirectory(t), 'small.yaml');
    writeFileSync(file, small);
    assert.equal((await readMachine(file)).name, 'small');
    await assert.rejects(readMachine(`${file}.yaml`), /no such file/);
  });
});

describe('a modelled machine', () => {
  test('is what its file says, and says that it is a model', async () => {
    await using host = await openHost('model:gnr-2s-6n', { writable: false });
    const inventory = await discover(host);
    assert.equal(inventory.source, 'model');
    assert.equal(inventory.cpu.possible.length, 384);
    assert.equal(new Set(Object.values(inventory.cpu.nodeOf)).size, 6);
    assert.equal(new Set(Object.values(inventory.cpu.packageOf)).size, 2);
    assert.equal(inventory.iaa?.devices.length, 8);
    assert.equal(inventory.iaa?.statistics.access, 'readable');
    assert.equal(inventory.memory?.totalBytes, 2 ** 40);
    assert.deepEqual(inventory.findings, []);
  });

  test('has an id of its own, whatever it boots, and a new boot id at each opening', async () => {
    const idsOf = async (machine: string, kernel?: string) => {
      await using host = await openHost(`model:${machine}`, { writable: true });
      if (kernel !== undefined) await host.model?.boot(kernel);
      const { machineId, bootId, release } = (await discover(host)).kernel;
      return { machineId, bootId, release };
    };
    const [spr, again, older, emr] = [
      await idsOf('spr-2s'),
      await idsOf('spr-2s'),
      await idsOf('spr-2s', 'mainline 6.12'),
      await idsOf('emr-2s'),
    ];
    assert.equal(spr.machineId, again.machineId);
    assert.equal(spr.machineId, older.machineId);
    assert.notEqual(spr.machineId, emr.machineId);
    assert.notEqual(spr.bootId, again.bootId);
    assert.notEqual(spr.release, older.release);
  });
});
