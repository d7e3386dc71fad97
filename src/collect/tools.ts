/** Programs of others that measure beside a cell, where they are installed; what they say is kept as it is. */
import { CommandError } from '../errors.js';
import type { Host, RunningTool } from '../host/host.js';

/** A tool to run. */
export interface ToolSpec {
  readonly name: string;
  readonly argv: readonly string[];
  /** Takes all that it says. */
  readonly outputFile: string;
}

/** How a tool ended (its exit code, or the signal it died of), or why it did not run. */
export type ToolOutcome = { readonly ended: string | number } | { readonly absent: string };

/** How often perf and turbostat say something (s). */
const intervalS = 1;

/** `perf stat` of all CPUs: CSV with the time of each line, for these events or perf's own choice. */
export function perfCommand(events: readonly string[]): string[] {
  const chosen = events.flatMap((event) => ['-e', event]);
  return ['perf', 'stat', '-a', '-x', ',', '-I', String(intervalS * 1000), ...chosen];
}

export function turbostatCommand(): string[] {
  return ['turbostat', '--quiet', '--interval', String(intervalS)];
}

/** Tools under way. */
export class RunningTools {
  readonly #running: readonly { readonly name: string; readonly tool: RunningTool | string }[];

  private constructor(running: readonly { readonly name: string; readonly tool: RunningTool | string }[]) {
    this.#running = running;
  }

  /** Starts them; one that is not installed is no failure. */
  static async start(host: Host, specs: readonly ToolSpec[]): Promise<RunningTools> {
    const running: { name: string; tool: RunningTool | string }[] = [];
    for (const { name, argv, outputFile } of specs) {
      try {
        running.push({ name, tool: await host.start(argv, outputFile) });
      } catch (error) {
        if (!(error instanceof CommandError)) throw error;
        running.push({ name, tool: error.message });
      }
    }
    return new RunningTools(running);
  }

  /** Ends them; gives how each ended, by its name. */
  async stop(): Promise<Record<string, ToolOutcome>> {
    const outcomes = await Promise.all(
      this.#running.map(async ({ name, tool }): Promise<[string, ToolOutcome]> => {
        return [name, typeof tool === 'string' ? { absent: tool } : { ended: await tool.stop() }];
      }),
    );
    return Object.fromEntries(outcomes);
  }
}
