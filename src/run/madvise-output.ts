import { ParseError } from '../errors.js';

/** How long the pages of a call took, ns a page; by nearest rank over the calls. */
export interface PageTimes {
  readonly pages: number;
  readonly p50Ns: number;
  readonly p99Ns: number;
}

/** What native/madvise printed. */
export interface MadviseOutput {
  /** Pages that MADV_PAGEOUT was called for. */
  readonly askedPages: number;
  /** Of them, those that reclaim had taken before. */
  readonly gonePages: number;
  /** And those that were still in memory after it. */
  readonly leftPages: number;
  /** Of the calls that found all in memory and left nothing; undefined when there is none. */
  readonly pageout: PageTimes | undefined;
  readonly readback: PageTimes | undefined;
}

const times = String.raw`(\d+) pages: p50 (\d+\.\d) ns, p99 (\d+\.\d) ns a page\n`;
const whole = new RegExp(
  String.raw`^asked for (\d+) pages: (\d+) were gone before, (\d+) were left\n(?:pageout ${times}readback ${times})?$`,
);

/** Reads native/madvise's stdout. Throws ParseError for anything but its lines. */
export function parseMadvise(stdout: string): MadviseOutput {
  const found = whole.exec(stdout);
  if (found === null) {
    throw new ParseError({
      path: 'output of madvise',
      found: stdout,
      expected: 'the lines of docs/madvise.md',
    });
  }
  const [askedPages = 0, gonePages = 0, leftPages = 0, ...rest] = found.slice(1).map(Number);
  const timesAt = (index: number): PageTimes | undefined => {
    const [pages = Number.NaN, p50Ns = 0, p99Ns = 0] = rest.slice(index);
    return Number.isNaN(pages) ? undefined : { pages, p50Ns, p99Ns };
  };
  return { askedPages, gonePages, leftPages, pageout: timesAt(0), readback: timesAt(3) };
}
