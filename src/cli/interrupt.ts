import { InterruptedError, type StopSignal } from '../errors.js';
import { printError } from './terminal.js';

const stopSignals: readonly StopSignal[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/**
 * Turns the first HUP, INT or TERM into an abort with an InterruptedError. Later ones are answered with a line:
 * putting the machine back is not interrupted.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of stopSignals) {
    process.on(signal, () => {
      if (controller.signal.aborted) printError(`${signal}: already stopping; the machine is being put back`);
      else controller.abort(new InterruptedError(signal));
    });
  }
  return controller.signal;
}
