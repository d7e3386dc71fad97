import { basename } from 'node:path';
import { Command, Option } from 'commander';
import { ExitCode, UsageError } from '../../errors.js';
import type { SampledSet } from '../../study/points.js';
import { optionsOf } from '../options.js';

interface CompareOptions {
  readonly failIf: readonly string[];
  readonly aa?: string;
}

/** `compare BASE NEW`: two records, and whether the second is worse. */
export function compareCommand(): Command {
  return new Command('compare')
    .description('compare two records; with --fail-if, end with exit code 6 when the second is worse')
    .argument('<base>', 'folder of a run')
    .argument('<new>', 'folder of another')
    .addOption(
      new Option('--fail-if <condition>', "as 'throughput < -3%' or 'elapsed > 5%'; can be repeated")
        .argParser((condition: string, all: readonly string[]) => [...all, condition])
        .default([], 'none'),
    )
    .option('--aa <run>', "a record of 'run --aa': its noise is this machine's")
    .action(async (base: string, changed: string, _options: CompareOptions, command: Command) => {
      const options = optionsOf<CompareOptions>(command);
      const { compare } = await import('../../study/compare.js');
      const { gate, parseCondition } = await import('../../study/gate.js');
      const { compareTables, gateLines } = await import('../../report/compare-table.js');
      const { print, toJson } = await import('../terminal.js');
      const conditions = options.failIf.map(parseCondition);
      if (options.aa !== undefined && conditions.length === 0) {
        throw new UsageError('--aa belongs to --fail-if', { hint: "add --fail-if 'throughput < -3%'" });
      }
      const [one, other] = [await readSet(base), await readSet(changed)];
      const aa = options.aa === undefined ? undefined : await readSet(options.aa);
      const comparison = compare(one, other);
      const verdict = conditions.length === 0 ? undefined : gate(conditions, one, other, aa);
      if (options.json === true) print(toJson({ ...comparison, ...(verdict && { gate: verdict }) }));
      else {
        print(compareTables(comparison));
        if (verdict !== undefined) print(gateLines(verdict));
      }
      if (verdict?.fires === true) process.exitCode = ExitCode.checkSaidNo;
    });
}

async function readSet(directory: string): Promise<SampledSet> {
  const { readRecord } = await import('../../collect/record.js');
  const { study } = await import('../../study/record.js');
  const { sampledSet } = await import('../../study/sampled.js');
  return sampledSet(basename(directory), [study(await readRecord(directory))]);
}
