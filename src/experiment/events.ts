import { InterruptedError } from '../errors.js';
import type { Host } from '../host/host.js';
import { type RunEvent, type RunOptions, type RunOutcome, runExperiment } from './run.js';
import type { Experiment } from './schema.js';

/** What happens during a run; the last one is its end. */
export type ExperimentEvent = RunEvent | { readonly type: 'outcome'; readonly outcome: RunOutcome };

/**
 * Runs an experiment as runExperiment does and gives its events as they come. Throws what runExperiment throws. Who stops
 * listening interrupts the run: the machine is put back before the loop is left.
 */
export async function* experimentEvents(
  host: Host,
  experiment: Experiment,
  options: Omit<RunOptions, 'onEvent'>,
): AsyncGenerator<ExperimentEvent, void, undefined> {
  const abort = new AbortController();
  const stop = (): void => abort.abort(options.signal?.reason);
  options.signal?.addEventListener('abort', stop);
  if (options.signal?.aborted === true) stop();
  const events: ExperimentEvent[] = [];
  let wake = (): void => undefined;
  let ended = false;
  const run = runExperiment(host, experiment, {
    ...options,
    signal: abort.signal,
    onEvent(event) {
      events.push(event);
      wake();
    },
  })
    .then((outcome) => void events.push({ type: 'outcome', outcome }))
    .finally(() => {
      ended = true;
      wake();
    });
  // Awaited at the end; until then it must not count as unhandled.
  run.catch(() => undefined);
  try {
    for (;;) {
      const event = events.shift();
      if (event !== undefined) yield event;
      else if (ended) break;
      else {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    }
    await run;
  } finally {
    options.signal?.removeEventListener('abort', stop);
    if (!ended) {
      abort.abort(new InterruptedError(undefined));
      await run.catch((error: unknown) => {
        if (!(error instanceof InterruptedError)) throw error;
      });
    }
  }
}
