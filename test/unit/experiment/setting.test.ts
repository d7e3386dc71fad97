import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ExperimentError, UsageError } from '../../../src/errors.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import { parseSetting } from '../../../src/experiment/setting.js';

const file = `name: x
matrix: { compressor: [lzo], folio: [64kB] }
workload:
  usemem: { size: 1M }
`;

const withSet = (...words: string[]) => parseExperiment(file, 'x.yaml', words.map(parseSetting));

describe('--set', () => {
  it('sets keys of any part, over what the file says and where it says nothing', () => {
    const experiment = withSet(
      'workload.usemem.size=64M',
      'cgroup.memory.high=32M',
      'vm.page-cluster=0',
      'thp.khugepaged/defrag=true',
      'repetitions=3',
      'matrix.compressor=[zstd, lzo]',
      'iaa.wqs=[{ size: 64 }, { size: 64 }]',
    );
    assert.equal(experiment.workload.usemem?.size, 64n * 1024n ** 2n);
    assert.equal(experiment.cgroup['memory.high'], 32n * 1024n ** 2n);
    assert.deepEqual(experiment.vm, { 'page-cluster': 0 });
    assert.deepEqual(experiment.thp, { 'khugepaged/defrag': true });
    assert.equal(experiment.repetitions, 3);
    assert.deepEqual(experiment.matrix.compressor, ['zstd', 'lzo']);
    assert.equal(experiment.iaa?.wqs?.length, 2);
  });

  it('takes the last of one key, and text as it is', () => {
    assert.equal(withSet('repetitions=3', 'repetitions=4').repetitions, 4);
    assert.equal(withSet('description=a = b').description, 'a = b');
  });

  it('is checked as the file is; the line of a key that is set is none', () => {
    assert.throws(
      () => withSet('repetitions=0', 'workload.usemem.size=12'),
      (error) => {
        assert.ok(error instanceof ExperimentError);
        assert.deepEqual(error.message.split('\n'), [
          'x.yaml: repetitions: must be at least 1',
          'x.yaml: workload.usemem.size: expected a multiple of 8 bytes, at most 2^56',
        ]);
        return true;
      },
    );
    // What is wrong in the file has its line still.
    assert.throws(
      () => parseExperiment('- 1\n', 'x.yaml', [parseSetting('repetitions=3')]),
      /^.*x\.yaml:1: /,
    );
  });

  for (const wrong of [
    '',
    '=',
    '=3',
    'repetitions',
    'repetition=3',
    'workload.usemem.sizes=3',
    'workload.usemem.size.x=3',
    'cgroup.memory=3',
    'matrix.vm.page-cluster=[0]',
    '__proto__.x=1',
    'constructor=1',
    'repetitions=[1',
    'repetitions={a: 1, a: 2}',
    'description=*a',
  ]) {
    it(`refuses '${wrong}'`, () => {
      assert.throws(() => parseSetting(wrong), UsageError);
    });
  }
});
