import { InterruptedError } from '../errors.js';

/** A signal that aborts when another does, always with an InterruptedError as its reason. */
export function interruption(signal: AbortSignal): AbortSignal {
  const controller = new AbortController();
  const abort = (): void => {
    const { reason } = signal;
    controller.abort(
      reason instanceof InterruptedError ? reason : new InterruptedError(undefined, { cause: reason }),
    );
  };
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true, signal: controller.signal });
  return controller.signal;
}
