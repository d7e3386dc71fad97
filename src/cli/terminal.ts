/**
 * The one place where text gets onto a terminal or into a pipe. What kernel files, programs and file names say
 * is not ours: escape sequences in it could recolour, overwrite or answer for the terminal, so none leaves raw.
 */
import type { Writable } from 'node:stream';

// C0 but newline and tab, DEL, C1, the bidi embeddings, overrides and isolates, and the replacement character.
const unsafe = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]/g;

function visible(character: string): string {
  const code = character.charCodeAt(0);
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`;
}

/**
 * The text with every character that steers a terminal made visible, as `\x1b`; newlines stay, tabs stay when
 * asked. For text within one line use printableLine.
 */
export function printable(text: string, options: { readonly keepTabs?: boolean } = {}): string {
  const escaped = text.replace(unsafe, visible);
  return options.keepTabs === true ? escaped : escaped.replaceAll('\t', '\\x09');
}

/** As printable, for text that belongs into one line: newlines and tabs are made visible too. */
export function printableLine(text: string): string {
  return printable(text).replaceAll('\n', '\\x0a');
}

/** Writes text, made safe and ended by a newline. */
export type Print = (text: string) => void;

/**
 * A Print onto a stream. A reader that goes away (`| head`) ends the output and nothing else: a run in progress
 * must still restore the machine. Any other failure, as a full disk, is told on `complaints` and makes the
 * exit code 1. `onEnd` is called when no output is possible any more.
 */
export function printer(stream: Writable, complaints: Writable, onEnd: () => void = () => {}): Print {
  let failed = false;
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (failed) return;
    failed = true;
    onEnd();
    if (error.code === 'EPIPE') return;
    process.exitCode ||= 1;
    if (complaints !== stream) complaints.write(`iaa-zswap: the output cannot be written: ${error.code}\n`);
  });
  return (text) => {
    if (!failed) stream.write(`${printable(text)}\n`);
  };
}

let out: Print | undefined;
let err: Print | undefined;
const outputEnd = new AbortController();

function standardOutput(): Print {
  out ??= printer(process.stdout, process.stderr, () => outputEnd.abort());
  return out;
}

/** Prints to standard output. */
export function print(text: string): void {
  standardOutput()(text);
}

/** Aborted when nobody reads standard output any more, or it cannot be written. */
export function whenOutputEnds(): AbortSignal {
  standardOutput();
  return outputEnd.signal;
}

/**
 * Shows a text on standard output in place of the one before, as much of it as fits; where that is no terminal
 * the texts follow each other with an empty line between.
 */
export class Screen {
  #painted = false;

  paint(text: string): void {
    if (process.stdout.isTTY !== true) {
      print(this.#painted ? `\n${text}` : text);
    } else {
      const { columns, rows } = process.stdout;
      const lines = printable(text).split('\n');
      const shown =
        lines.length < rows
          ? lines
          : [...lines.slice(0, rows - 2), `... ${lines.length - rows + 2} lines more`];
      // To the top left; each line is cleared behind its text, and all below the last.
      const start = this.#painted ? '\x1b[H' : '\x1b[2J\x1b[H';
      process.stdout.write(
        `${start}${shown.map((line) => `${line.slice(0, columns)}\x1b[K\n`).join('')}\x1b[J`,
      );
    }
    this.#painted = true;
  }
}

/** Prints to standard error. */
export function printError(text: string): void {
  err ??= printer(process.stderr, process.stderr);
  err(text);
}

/** A value as JSON of two-space indent: maps as objects; bigints as numbers where those are exact, else as decimal strings. */
export function toJson(value: unknown): string {
  const json = JSON.stringify(
    value,
    (_key, item: unknown) => {
      if (item instanceof Map) return Object.fromEntries(item);
      if (typeof item !== 'bigint') return item;
      const number = Number(item);
      return Number.isSafeInteger(number) ? number : item.toString();
    },
    2,
  );
  // JSON.stringify leaves DEL, C1 and the bidi characters as they are; they stand only within strings.
  return json.replace(/[\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
