import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseExperiment } from '../../../src/experiment/file.js';
import { experimentSchema } from '../../../src/experiment/schema.js';

describe('experiment files that we show', () => {
  it('docs/experiments.md has an example that is accepted and names every key there is', () => {
    const text = /```yaml\n([\s\S]*?)```/.exec(readFileSync('docs/experiments.md', 'utf8'))?.[1] ?? '';
    const experiment = parseExperiment(text, 'docs/experiments.md');
    const missing: string[] = [];
    for (const key of Object.keys(experimentSchema.shape)) if (!(key in experiment)) missing.push(key);
    for (const [part, value] of Object.entries(experiment)) {
      const field = experimentSchema.shape[part as keyof typeof experimentSchema.shape];
      const inner = 'unwrap' in field ? field.unwrap() : field;
      if (!('shape' in inner)) continue;
      for (const key of Object.keys(inner.shape)) {
        // Stands in a comment: it takes the place of a key that is there.
        const named =
          key in (value as object) || (key === 'devices_per_package' && text.includes(`${key}: 4`));
        if (!named) missing.push(`${part}.${key}`);
      }
    }
    const { usemem } = experiment.workload;
    for (const key of Object.keys(experimentSchema.shape.workload.shape.usemem.shape)) {
      if (!(key in usemem)) missing.push(`workload.usemem.${key}`);
    }
    assert.deepEqual(missing, []);
  });

  const files = readdirSync('experiments').filter((name) => name.endsWith('.yaml'));
  it('there are some', () => assert.ok(files.length >= 3));
  for (const name of files) {
    it(`experiments/${name} is accepted and named after its file`, () => {
      const experiment = parseExperiment(readFileSync(`experiments/${name}`, 'utf8'), name);
      assert.equal(`${experiment.name}.yaml`, name);
    });
  }
});
