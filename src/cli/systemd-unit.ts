/** What a unit starts at each boot. */
export interface ResumeUnit {
  /** Node, this program, its arguments; all paths absolute. */
  readonly argv: readonly string[];
  readonly files: readonly string[];
}

/**
 * A systemd service that goes on with experiments at each boot. It needs no network and waits for nothing but the file
 * systems that the files are on; a run that is complete already makes it end at once.
 */
export function resumeUnit({ argv, files }: ResumeUnit): string {
  return `[Unit]
Description=iaa-zswap: go on with ${files.map((file) => specifiers(file)).join(', ')}
RequiresMountsFor=${files.map(quoted).join(' ')}
After=multi-user.target

[Service]
Type=exec
ExecStart=${argv.map(quotedArgument).join(' ')}
# What is not put back by then is for 'iaa-zswap restore'.
TimeoutStopSec=10min
KillMode=mixed

[Install]
WantedBy=multi-user.target`;
}

/** % begins a specifier (systemd.unit(5)). */
function specifiers(text: string): string {
  return text.replaceAll('%', '%%').replaceAll('\n', '\\n');
}

/** One word (systemd.syntax(7)). */
function quoted(text: string): string {
  return `"${specifiers(text.replace(/["\\]/g, '\\$&'))}"`;
}

/** In command lines $ begins a variable, too (systemd.service(5)). */
function quotedArgument(text: string): string {
  return quoted(text).replaceAll('$', '$$$$');
}
