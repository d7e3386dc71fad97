import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { faultCases } from '../../support/fault-cases.js';
import { FaultTrial } from '../../support/fault-points.js';

/** `npm run test:faults` tries all; this is prime to the number of faults a change has, so that each kind comes. */
const every = 13;

describe('whatever goes wrong, the machine is as before or exit 5 says so', () => {
  for (const each of faultCases) {
    it(each.name, async () => {
      const trial = await FaultTrial.of(each);
      const outcomes = new Set<string>();
      let index = 0;
      for (const point of trial.points()) {
        if (index++ % every === 0) outcomes.add(await point());
      }
      assert.deepEqual([...outcomes].sort(), ['exit 5', 'killed', 'restored']);
    });
  }
});
