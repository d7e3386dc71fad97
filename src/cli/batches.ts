/** What `run --trace-batch` shows of its histograms. */
import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { gatheredFiles } from '../experiment/gather.js';
import { batchProbes, parseBatchHistogram, summarizeBatches } from '../kernel/tracefs.js';
import { grouped } from './status.js';

/** The lines for the cells of a record that were traced; none where no cell was. */
export async function batchLines(recordDirectory: string): Promise<string[]> {
  const lines: string[] = [];
  for (const cell of (await readdir(recordDirectory, { withFileTypes: true })).sort(byName)) {
    if (!cell.isDirectory()) continue;
    for (const { symbol, what } of batchProbes) {
      const path = join(recordDirectory, cell.name, gatheredFiles.batches(symbol));
      const text = await readFile(path, 'utf8').catch(() => undefined);
      if (text === undefined) continue;
      const histogram = parseBatchHistogram(text, path);
      lines.push(`${basename(cell.name)}: ${symbol}, ${what}`);
      for (const { pages, calls, p50, p99 } of summarizeBatches(histogram)) {
        const size = `${grouped(pages)} ${pages === 1 ? 'page' : 'pages'}`;
        const times = `p50 ${grouped(p50)} ns, p99 ${grouped(p99)} ns a page`;
        lines.push(`  ${size.padStart(11)}  ${grouped(calls).padStart(13)} calls  ${times}`);
      }
      if (histogram.dropped > 0)
        lines.push(`  ${grouped(histogram.dropped)} calls had no room in the histogram`);
    }
  }
  return lines;
}

function byName(a: { readonly name: string }, b: { readonly name: string }): number {
  return a.name < b.name ? -1 : 1;
}
