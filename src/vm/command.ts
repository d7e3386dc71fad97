import { execFile } from 'node:child_process';
import { CommandError, RequirementError } from '../errors.js';

/** Debian package of each program that setting a guest up needs. */
const packageOf: Readonly<Record<string, string>> = {
  'apt-get': 'apt',
  'apt-cache': 'apt',
  'dpkg-deb': 'dpkg',
  depmod: 'kmod',
  make: 'make',
  strip: 'binutils',
  'qemu-system-x86_64': 'qemu-system-x86',
};

/**
 * Runs a helper program to its end and gives its stdout. Throws RequirementError when it is not installed and
 * CommandError, with one line of what it said, when it fails.
 */
export function command(argv: readonly [string, ...string[]], cwd: string): Promise<string> {
  const [program, ...args] = argv;
  // depmod is in /usr/sbin, which an ordinary user's PATH lacks on Debian.
  const env = { ...process.env, LC_ALL: 'C', PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };
  return new Promise((resolve, reject) => {
    execFile(program, args, { cwd, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error === null) return resolve(stdout);
      if (error.code === 'ENOENT') {
        const hint = `apt-get install ${packageOf[program] ?? program}`;
        return reject(new RequirementError(`${program} is not installed`, { cause: error, hint }));
      }
      const lines = stderr.trim().split('\n');
      // apt says what went wrong first, and what came of it last.
      const said = lines.find((line) => /^[WE]: /.test(line)) ?? lines.at(-1);
      reject(new CommandError(argv, said || error.message, { cause: error }));
    });
  });
}
