import type { Experiment } from './schema.js';

/** One combination of the matrix. */
export interface Cell {
  /** From 1. */
  readonly number: number;
  readonly compressor: string;
  /** Kernel's name of the folio size under test, as `64kB`. */
  readonly folio: string;
}

/** The cells of an experiment in the order they run: every compressor of one folio size, then the next size. */
export function cellsOf(experiment: Experiment): Cell[] {
  return experiment.matrix.folio
    .flatMap((folio) => experiment.matrix.compressor.map((compressor) => ({ folio, compressor })))
    .map((cell, index) => ({ number: index + 1, ...cell }));
}

/** What a person calls a cell: `zstd, 64kB`. */
export function cellName(cell: Cell): string {
  return `${cell.compressor}, ${cell.folio}`;
}
