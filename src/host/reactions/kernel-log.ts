import type { Draft } from './tree.js';

const path = '/dev/kmsg';

/**
 * Adds a line to the kernel's log, as the kernel counts and stamps them; a machine without the file keeps none.
 * `level` as in include/linux/kern_levels.h.
 */
export function log(draft: Draft, level: 3 | 4 | 6, line: string): void {
  const text = draft.text(path);
  if (text === undefined) return;
  const last = /(?:^|\n)\d+,(\d+),(\d+),-;.*\n$/.exec(text);
  const [sequence, us] = last === null ? [0, 0] : [Number(last[1]) + 1, Number(last[2]) + 1000];
  draft.write(path, `${text}${level},${sequence},${us},-;${line}\n`);
}

/** The log as dmesg(1) prints it. */
export function dmesg(draft: Draft): string {
  return (draft.text(path) ?? '').replace(
    /^\d+,\d+,(\d+),[^;]*;/gm,
    (_record, us: string) =>
      `[${Math.floor(Number(us) / 1e6)
        .toString()
        .padStart(5)}.${(Number(us) % 1e6).toString().padStart(6, '0')}] `,
  );
}
