/**
 * File names as seq_file shows them: blank, tab, newline, backslash (and `#` in mountinfo) are three octal
 * digits after a backslash (fs/seq_file.c mangle_path).
 */

/** The name behind its shown form. */
export function unmanglePath(shown: string): string {
  return shown.replace(/\\([0-3][0-7]{2})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
