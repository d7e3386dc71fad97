import { cellName } from '../experiment/cells.js';
import type { RunEvent } from '../experiment/run.js';
import { printableLine, printError } from './terminal.js';

function said(event: Exclude<RunEvent, { type: 'cell' }>): string {
  switch (event.type) {
    case 'failure':
      return `${cellName(event.cell)}: FAILED: ${event.message}`;
    case 'restored':
      return event.outcome.state === 'restored'
        ? `put back what an earlier run had left: ${event.outcome.undone.length} changes`
        : 'the machine has booted since an earlier run died: nothing of it is left';
    case 'booted':
      return `booted ${event.kernel}`;
    case 'user':
      return event.notice ?? `the workload runs as ${event.name ?? 'this user'}`;
    case 'resumed':
      return `${event.finished} of ${event.of} cells are finished in ${event.directory}`;
  }
}

/** Shows how a run goes on standard error: one line that changes on a terminal, plain lines elsewhere. */
export class Progress {
  readonly #name: string;
  readonly #live = process.stderr.isTTY === true;
  #line = '';
  #since = Date.now();
  #timer: NodeJS.Timeout | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  show(event: RunEvent): void {
    if (event.type !== 'cell') {
      this.#clear();
      printError(`${this.#name}: ${said(event)}`);
      return;
    }
    const stage = { 'cool down': 'cooling down', apply: 'configuring', run: 'running', done: 'done' }[
      event.stage
    ];
    const line = `${this.#name}: cell ${event.cell.number} of ${event.of} (${cellName(event.cell)}): ${stage}`;
    if (!this.#live) {
      printError(line);
      return;
    }
    if (event.stage === 'apply') this.#since = Date.now();
    this.#line = printableLine(line);
    this.#draw();
    this.#timer ??= setInterval(() => this.#draw(), 1000).unref();
  }

  /** Leaves the terminal's line clean. */
  end(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#clear();
  }

  #draw(): void {
    const seconds = Math.round((Date.now() - this.#since) / 1000);
    const text = `${this.#line}, ${seconds} s`;
    process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
  }

  #clear(): void {
    if (this.#live && this.#line !== '') process.stderr.write('\r\x1b[K');
    this.#line = '';
  }
}
