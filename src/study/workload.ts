/** What a workload is called, and what its own output and its end tell. */
import type { CellData, Recorded } from '../collect/record.js';
import { ParseError } from '../errors.js';
import type { Experiment } from '../experiment/schema.js';
import { workloadOf } from '../experiment/workload.js';
import { parseMadvise } from '../run/madvise-output.js';
import { averageThroughput, parseUsemem, totalThroughput } from '../run/usemem-output.js';

type Part = Recorded<Experiment>['workload'];
type Numbers = Readonly<Record<string, number | undefined>>;

export interface WorkloadFindings {
  readonly values: Numbers;
  readonly invalid: readonly string[];
  readonly warnings: readonly string[];
}

/** In the names of the published data: usemem30, kernel-build-allmodconfig; madvise4, a command's own name. */
export function workloadName(part: Part): string {
  const workload = workloadOf(part);
  switch (workload.kind) {
    case 'usemem':
    case 'madvise':
      return `${workload.kind}${workload.parameters.processes}`;
    case 'build': {
      const { config, source } = workload.parameters;
      return config === 'none' ? `build-${lastName(source ?? '')}` : `kernel-build-${config}`;
    }
    case 'command':
      return workload.parameters.name ?? lastName(workload.parameters.argv[0] ?? '');
  }
}

function lastName(path: string): string {
  return path.replace(/\/+$/, '').replace(/^.*\//, '');
}

/** Studies how a cell's workload did. */
export function studyWorkload(data: CellData, part: Part): WorkloadFindings {
  try {
    return { invalid: [], warnings: [], ...findings(data, part) };
  } catch (error) {
    // Whoever runs the workload writes its output; the rest of the record is none the worse for it.
    if (error instanceof ParseError) return { values: timesOf(data), invalid: [error.message], warnings: [] };
    throw error;
  }
}

function findings(data: CellData, part: Part): Pick<WorkloadFindings, 'values'> & Partial<WorkloadFindings> {
  const workload = workloadOf(part);
  switch (workload.kind) {
    case 'usemem':
      return { values: { ...usememValues(data.stdout), ...timesOf(data) } };
    case 'madvise':
      return madviseFindings(data);
    case 'build': {
      const { elapsed_s, user_s, sys_s } = timesOf(data);
      return { values: { real_s: elapsed_s, user_s, sys_s, max_rss_kb: data.exit?.maxRssKiB } };
    }
    case 'command': {
      const { throughput } = workload.parameters;
      return {
        values: {
          ...(throughput === undefined ? {} : { total_throughput: summedMatches(data.stdout, throughput) }),
          ...timesOf(data),
          max_rss_kb: data.exit?.maxRssKiB,
        },
      };
    }
  }
}

/** From wait4. */
function timesOf({ exit }: CellData): Numbers {
  return {
    elapsed_s: exit === undefined ? undefined : Number(exit.elapsedNs) / 1e9,
    user_s: exit === undefined ? undefined : Number(exit.userUs) / 1e6,
    sys_s: exit === undefined ? undefined : Number(exit.systemUs) / 1e6,
  };
}

/** As the cover letter sums them. */
function usememValues(stdout: string): Numbers {
  const { processes } = parseUsemem(stdout);
  if (processes.length === 0) return {};
  return {
    total_throughput_kb_s: Number(totalThroughput(processes)),
    avg_throughput_kb_s: Number(averageThroughput(processes)),
  };
}

/** More pages than this part of all, that MADV_PAGEOUT found gone or left, make its times doubtful. */
const strayLimit = 0.01;

function madviseFindings(data: CellData): WorkloadFindings {
  // Of one that failed there are no lines, and the failure is told.
  if (data.stdout === '' && data.state !== 'complete')
    return { values: timesOf(data), invalid: [], warnings: [] };
  const { askedPages, gonePages, leftPages, pageout, readback } = parseMadvise(data.stdout);
  const strays = [
    ...(gonePages === 0
      ? []
      : [
          `${gonePages} of ${askedPages} pages were gone before they were paged out: a limit is below the size`,
        ]),
    ...(leftPages === 0
      ? []
      : [`${leftPages} of ${askedPages} pages stayed in memory: MADV_PAGEOUT is advice`]),
  ];
  const tooMany = gonePages + leftPages > askedPages * strayLimit;
  return {
    values: {
      pageout_p50_ns: pageout?.p50Ns,
      pageout_p99_ns: pageout?.p99Ns,
      readback_p50_ns: readback?.p50Ns,
      readback_p99_ns: readback?.p99Ns,
      asked_pages: askedPages,
      gone_pages: gonePages,
      left_pages: leftPages,
      ...timesOf(data),
    },
    invalid: tooMany ? strays : [],
    warnings: tooMany ? [] : strays,
  };
}

/** Longest line that is looked at: a pattern could take very long over one of megabytes. */
const longestLine = 1000;

/** The sum of the numbers that a pattern finds in lines; undefined when there is none. */
function summedMatches(stdout: string, pattern: string): number | undefined {
  const expression = new RegExp(pattern);
  const numbers = stdout
    .split('\n')
    .filter((line) => line.length <= longestLine)
    .flatMap((line) => expression.exec(line)?.[1] ?? [])
    .map(Number)
    .filter(Number.isFinite);
  return numbers.length === 0 ? undefined : numbers.reduce((sum, number) => sum + number, 0);
}
