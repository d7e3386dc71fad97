/** The `collect` part of an experiment file: what is gathered while a cell runs. */
import * as z from 'zod';

const event = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.:/=,{}-]{0,127}$/, "expected an event as 'perf list' names it");

export const collectSchema = z.strictObject({
  /** Seconds from one row of counters to the next (default 1). */
  interval_s: z.number().min(0.001).max(10).optional(),
  /** Run `perf stat` beside the cell, with these events; with none of them perf's own choice. */
  perf: z.array(event).optional(),
  /** Run turbostat beside the cell. */
  turbostat: z.boolean().optional(),
});

export type CollectSettings = z.output<typeof collectSchema>;
