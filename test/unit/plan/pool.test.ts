import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { discover } from '../../../src/discover/discover.js';
import { PlanError } from '../../../src/errors.js';
import { cellsOf } from '../../../src/experiment/cells.js';
import { parseExperiment } from '../../../src/experiment/file.js';
import { plan } from '../../../src/plan/plan.js';
import { renderPlan } from '../../../src/plan/render.js';
import type { Plan, PoolForecast } from '../../../src/plan/steps.js';
import { buildMachine, type MachineOptions, mockHost } from '../../../src/testing/index.js';

const gib = 2 ** 30;

async function planOf(
  compressor: string,
  usemem: string,
  { high = '150G', percent = 30, machine = {} as MachineOptions } = {},
): Promise<Plan> {
  const text = `name: x
matrix: { compressor: [${compressor}], folio: [64kB] }
zswap: { max_pool_percent: ${percent} }
cgroup: { memory.high: ${high} }
workload: { usemem: ${usemem} }
`;
  const experiment = parseExperiment(text, 'x.yaml');
  const [cell] = cellsOf(experiment);
  assert.ok(cell);
  const host = mockHost(buildMachine({ packages: 1, coresPerPackage: 32, iaaPerPackage: 0, ...machine }));
  return plan(await discover(host), experiment, cell);
}

async function forecastOf(...given: Parameters<typeof planOf>): Promise<PoolForecast> {
  const { forecast } = await planOf(...given);
  assert.ok(forecast !== undefined);
  return forecast;
}

const letter = '{ processes: 30, size: 10g }';

describe("the forecast of zswap's pool", () => {
  it("comes to the letter's zswpout", async () => {
    // zstd: 48,771,672 pages stored (data/published-v9.json, usemem30, 64k, v9).
    const { poolBytes, ratio, fullBytes, acceptBytes } = await forecastOf('zstd', letter);
    const pages = (poolBytes * ratio) / 4096;
    assert.ok(Math.abs(pages / 48_771_672 - 1) < 0.01, `${pages}`);
    assert.equal(fullBytes, 512 * gib * 0.3);
    assert.equal(acceptBytes, fullBytes * 0.9);
  });

  it('is worked out as the group is charged', async () => {
    // 4 GiB and 8 MiB of page tables over a limit of 2 GiB, at 1.9: 2056 MiB = S - S/1.9, S/1.9 = 2056 / 0.9.
    const { poolBytes } = await forecastOf('lz4', '{ processes: 1, size: 4g, content: "ratio:2" }', {
      high: '2G',
    });
    assert.equal(Math.round(poolBytes / 2 ** 20), Math.round(2056 / 0.9));
  });

  it('is one line of the plan', async () => {
    const line = /^ {2}expected zswap pool: .*$/m.exec(renderPlan(await planOf('zstd', letter)))?.[0];
    assert.equal(
      line,
      "  expected zswap pool: 37,067 of 157,286 MiB (ratio 5.16, from the cover letter's zswpout; once full, taken again below 141,558)",
    );
  });

  it('is nothing where the limit is not reached', async () => {
    assert.equal((await forecastOf('zstd', letter, { high: '400G' })).poolBytes, 0);
  });

  for (const [name, compressor, usemem] of [
    ['contents of an unknown ratio', 'zstd', '{ processes: 30, size: 10g, content: "file:/bin/true" }'],
    ['random contents', 'zstd', '{ processes: 30, size: 10g, content: random }'],
    ['a compressor of an unknown ratio', '"842"', letter],
    ['pages that are written in part', 'zstd', '{ processes: 30, size: 10g, step: 8k }'],
  ] as const) {
    it(`is not made for ${name}`, async () => {
      assert.equal((await planOf(compressor, usemem)).forecast, undefined);
    });
  }

  it('refuses a run that would fill the pool, and says how large it must be', async () => {
    await assert.rejects(planOf('zstd', letter, { percent: 5 }), (error) => {
      assert.ok(error instanceof PlanError);
      const [issue] = error.issues;
      assert.match(issue?.message ?? '', /37,067 of 26,214 MiB.*: zswap would be full$/);
      assert.match(issue?.mend ?? '', /^zswap\.max_pool_percent of 9 or more/);
      return true;
    });
    assert.ok(await planOf('zstd', letter, { percent: 9 }));
  });

  it('counts what is in zswap already', async () => {
    const files = { '/sys/kernel/debug/zswap/pool_total_size': `${100 * gib}\n` };
    const changes = [{ write: '/sys/module/zswap/parameters/enabled', text: 'Y' }];
    await assert.rejects(planOf('zstd', letter, { percent: 20, machine: { files, changes } }), PlanError);
    assert.ok(await planOf('zstd', letter, { percent: 20 }));
  });
});
