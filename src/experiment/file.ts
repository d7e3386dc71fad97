import { ExperimentError, type ExperimentIssue } from '../errors.js';
import { resolveAxes } from './axes.js';
import type { FileText } from './issues.js';
import { axesOf } from './matrix.js';
import { parsePage, readPage } from './page.js';
import { type Experiment, experimentSchema } from './schema.js';
import type { Setting } from './setting.js';

/**
 * Reads and checks an experiment file, with the command line's settings over what it says. Throws ExperimentError with all that
 * is wrong, each with its line.
 */
export async function readExperiment(file: string, settings: readonly Setting[] = []): Promise<Experiment> {
  return parseExperiment(await readPage(file, 'an experiment file'), file, settings);
}

/** Checks the text of an experiment file; `file` is for messages. Throws ExperimentError. */
export function parseExperiment(text: string, file: string, settings: readonly Setting[] = []): Experiment {
  return experimentIn(parsePage(text, file, experimentSchema, settings), file);
}

function experimentIn(text: FileText, file: string): Experiment {
  const issues: ExperimentIssue[] = [];
  const parsed = experimentSchema.safeParse(text.value);
  if (parsed.success) {
    const axes = resolveAxes(axesOf(parsed.data.matrix), text, (path, message) =>
      issues.push(text.issue(['matrix', path], message)),
    );
    const { compressor, folio, kernel } = parsed.data.matrix;
    if (issues.length === 0) return { ...parsed.data, matrix: { compressor, folio, kernel, axes } };
  } else {
    issues.push(...parsed.error.issues.flatMap((issue) => text.issues(issue)));
  }
  issues.sort((one, other) => (one.line ?? 0) - (other.line ?? 0));
  throw new ExperimentError(file, issues, { hint: 'docs/experiments.md lists every key' });
}
