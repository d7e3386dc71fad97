import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseExperiment } from '../../../src/experiment/file.js';
import { experimentSchema } from '../../../src/experiment/schema.js';
import { parseMachine, shippedMachine } from '../../../src/model/machine.js';

describe('experiment files that we show', () => {
  const [whole = '', ...parts] = [
    ...readFileSync('docs/experiments.md', 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g),
  ].map(([, text = '']) => text);

  it('docs/experiments.md has an example that is accepted and names every key there is', () => {
    const experiment = parseExperiment(whole, 'docs/experiments.md');
    const missing: string[] = [];
    for (const key of Object.keys(experimentSchema.shape)) if (!(key in experiment)) missing.push(key);
    for (const [part, value] of Object.entries(experiment)) {
      if (part === 'workload') continue;
      const field = experimentSchema.shape[part as keyof typeof experimentSchema.shape];
      const inner = 'unwrap' in field ? field.unwrap() : field;
      if (!('shape' in inner)) continue;
      for (const key of Object.keys(inner.shape)) {
        // Stands in a comment: it takes the place of a key that is there.
        const named =
          key in (value as object) || (key === 'devices_per_package' && whole.includes(`${key}: 4`));
        if (!named) missing.push(`${part}.${key}`);
      }
    }
    assert.deepEqual(missing, []);
  });

  it('docs/experiments.md has an example of each workload that names every key there is', () => {
    const { shape } = experimentSchema.shape.workload;
    const base = whole.replace(/^workload:[\s\S]*?^(?=limits:)/m, '');
    const others = parts.filter((text) => text.startsWith('workload:')).map((text) => base + text);
    const shown = [whole, ...others].map((text) => parseExperiment(text, 'docs/experiments.md').workload);
    const missing = Object.entries(shape).flatMap(([kind, field]) => {
      const keys = field.unwrap();
      if (!('shape' in keys)) return shown.some(({ user }) => user !== undefined) ? [] : [kind];
      return Object.keys(keys.shape)
        .filter((key) => !shown.some((one) => key in ((one[kind as keyof typeof one] as object) ?? {})))
        .map((key) => `${kind}.${key}`);
    });
    assert.deepEqual(missing, []);
  });

  it('docs/experiments.md shows the machine that the package brings', () => {
    const machine = parts.find((text) => text.startsWith('name: spr-2s'));
    assert.deepEqual(parseMachine(machine ?? '', 'docs/experiments.md'), shippedMachine('spr-2s'));
  });

  for (const name of readdirSync('experiments/what-if')) {
    it(`experiments/what-if/${name} is accepted, named after its file, and for modelled machines`, () => {
      const text = readFileSync(`experiments/what-if/${name}`, 'utf8');
      const experiment = parseExperiment(text, name);
      assert.equal(`${experiment.name}.yaml`, `what-if-${name}`);
      assert.match(text, /--host model:/);
    });
  }

  const files = readdirSync('experiments').filter((name) => name.endsWith('.yaml'));
  it('there are some', () => assert.ok(files.length >= 3));
  for (const name of files) {
    it(`experiments/${name} is accepted and named after its file`, () => {
      const experiment = parseExperiment(readFileSync(`experiments/${name}`, 'utf8'), name);
      assert.equal(`${experiment.name}.yaml`, name);
    });
  }
});
