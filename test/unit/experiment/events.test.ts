import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InterruptedError, RequirementError } from '../../../src/errors.js';
import { experimentEvents } from '../../../src/experiment/events.js';
import { interruption } from '../../../src/experiment/interruption.js';
import { buildMachine, mockHost } from '../../../src/testing/index.js';
import { smallExperiment } from '../../support/small-machine.js';

describe('experimentEvents', () => {
  it('throws what the run throws', async () => {
    await using host = mockHost(buildMachine({}));
    const events = experimentEvents(host, smallExperiment(), { stateDirectory: '/no', experimentFile: 'x' });
    await assert.rejects(events.next(), RequirementError);
  });
});

describe('interruption', () => {
  it('aborts with an InterruptedError, whatever the reason was', () => {
    const controller = new AbortController();
    const signal = interruption(controller.signal);
    assert.equal(signal.aborted, false);
    const reason = new Error('enough');
    controller.abort(reason);
    assert.ok(signal.reason instanceof InterruptedError);
    assert.equal(signal.reason.cause, reason);
    assert.equal(signal.reason.exitCode, 130);
  });

  it('keeps an InterruptedError, also of a signal that is aborted already', () => {
    const reason = new InterruptedError('SIGTERM');
    const signal = interruption(AbortSignal.abort(reason));
    assert.equal(signal.reason, reason);
    assert.equal(reason.exitCode, 143);
  });
});
