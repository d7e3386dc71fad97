import { Command } from 'commander';
import { ExitCode } from '../../errors.js';
import { openCommandHost, optionsOf, settingOption, settingsOf } from '../options.js';

interface DoctorOptions {
  readonly set: readonly string[];
  readonly shared?: boolean;
}

/**
 * `doctor [FILE]`: all that is missing, wrong or worth knowing. Exit 3 when an experiment file was given and needs
 * what is not here; else 0, also without IAA.
 */
export function doctorCommand(): Command {
  return new Command('doctor')
    .description('examine this machine: what is missing or wrong, what that means and how to mend it')
    .argument('[file]', 'experiment file whose needs are checked too')
    .option(
      '--shared',
      'show who uses swap, zswap, IAA and huge pages now, and what FILE would change for them',
    )
    .addOption(settingOption())
    .addHelpText('after', '\nExit codes: 0; 3 when FILE needs something that is missing here.')
    .action(async (file: string | undefined, _options: DoctorOptions, command: Command) => {
      const options = optionsOf<DoctorOptions>(command);
      const { examine } = await import('../../doctor/doctor.js');
      const { forecast } = await import('../../doctor/effects.js');
      const { readSharedUse } = await import('../../doctor/shared.js');
      const { readExperiment } = await import('../../experiment/file.js');
      const { sourceHead } = await import('../source-head.js');
      const { renderDiagnoses, renderForecast, renderSharedUse } = await import('../doctor.js');
      const { print, toJson } = await import('../terminal.js');
      const settings = await settingsOf(options.set);
      const experiment = file === undefined ? undefined : await readExperiment(file, settings);
      const host = await openCommandHost(options, false);
      try {
        const { inventory, diagnoses } = await examine(host);
        const shared = options.shared === true ? await readSharedUse(host, inventory) : undefined;
        const cells = experiment && forecast(inventory, experiment);
        if (options.json === true) {
          const { source } = inventory;
          print(toJson({ schemaVersion: 1, host: host.name, source, diagnoses, shared, cells }));
        } else {
          print(
            [
              [...sourceHead(inventory), renderDiagnoses(diagnoses)].join('\n'),
              ...(shared === undefined ? [] : [renderSharedUse(shared)]),
              ...(cells === undefined ? [] : [renderForecast(cells, options.shared === true)]),
            ].join('\n\n'),
          );
        }
        if (cells?.some(({ missing }) => missing.length > 0) === true)
          process.exitCode = ExitCode.requirement;
      } finally {
        await host.close();
      }
    });
}
