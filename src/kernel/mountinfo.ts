/** /proc/self/mountinfo: the mounts this process sees (fs/proc_namespace.c show_mountinfo). */
import { ParseError } from '../errors.js';
import { hostPath } from '../host/path.js';
import { unmanglePath } from './mangled-path.js';

export const mountinfoPath = hostPath('/proc/self/mountinfo');

export interface Mount {
  readonly mountPoint: string;
  /** As `cgroup2`. */
  readonly type: string;
  /** Options of the file system itself (not of this mount), as `rw`, `memory`. */
  readonly superOptions: readonly string[];
}

/** Parses mountinfo, in mount order; throws ParseError with the line. */
export function parseMountinfo(text: string, path: string = mountinfoPath): Mount[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line, index) => {
    // id parent major:minor root mount-point options [optional fields] - type source super-options; the latter
    // are the file system's own text, in which some leave blanks as they are.
    const match = /^\d+ \d+ \d+:\d+ \S+ (\S+) \S+(?: \S+)*? - (\S+) \S* (\S.*)$/.exec(line);
    if (match === null) {
      throw new ParseError({ path, line: index + 1, found: line, expected: 'a line of mountinfo' });
    }
    const [, shown = '', type = '', superOptions = ''] = match;
    const mountPoint = unmanglePath(shown);
    if (!/^\/(?!.*\/\/)/.test(mountPoint) || /\/\.\.?(?:\/|$)/.test(mountPoint)) {
      throw new ParseError({ path, line: index + 1, found: line, expected: 'an absolute mount point' });
    }
    return { mountPoint, type, superOptions: superOptions.split(',') };
  });
}
