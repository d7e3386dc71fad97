import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { afterEach, describe, test } from 'node:test';
import fc from 'fast-check';
import { printable, printableLine, printer, toJson } from '../../../src/cli/terminal.js';

describe('printable', () => {
  for (const [raw, shown] of [
    ['\u001b[31mred', '\\x1b[31mred'],
    ['a\rb\bc\u0000', 'a\\x0db\\x08c\\x00'],
    ['\u007f\u0085\u009b2J', '\\x7f\\x85\\x9b2J'],
    ['safe\u202etxt.exe\u2066', 'safe\\u202etxt.exe\\u2066'],
    ['bad \ufffd byte', 'bad \\ufffd byte'],
    ['tab\tand\nnewline', 'tab\\x09and\nnewline'],
    ['plain ÄÖ 漢字 [x]', 'plain ÄÖ 漢字 [x]'],
  ] as const) {
    test(toJson(raw), () => assert.equal(printable(raw), shown));
  }

  test('keeps tabs when asked', () => assert.equal(printable('a\tb\u001b', { keepTabs: true }), 'a\tb\\x1b'));

  test('printableLine keeps a text in its line', () =>
    assert.equal(printableLine('a\nb\tc'), 'a\\x0ab\\x09c'));

  test('leaves no character that steers a terminal, whatever the text', () => {
    const steering = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\ufffd]/;
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => !steering.test(printable(text))));
  });
});

describe('toJson', () => {
  test('bigints are numbers while exact, else strings', () => {
    assert.equal(toJson([2n ** 53n - 1n, 2n ** 53n]), '[\n  9007199254740991,\n  "9007199254740992"\n]');
  });

  test('maps are objects, whatever their keys', () => {
    const maps = { counters: new Map([['__proto__', 1n]]) };
    assert.equal(toJson(maps), '{\n  "counters": {\n    "__proto__": 1\n  }\n}');
  });

  test('is safe on a terminal and reads back as it was', () => {
    const value = { '\u009bkey': 'a\u001b\u007f\u0085\u202e\u2067\ufffd\t\n"' };
    const json = toJson(value);
    assert.match(json, /^[\n\u0020-\u007e]*$/);
    assert.deepEqual(JSON.parse(json), value);
  });
});

/** A stream that fails from the second write on. */
class Broken extends Writable {
  readonly written: string[] = [];
  readonly #code: string;
  constructor(code: string) {
    super({ decodeStrings: false, autoDestroy: false });
    this.#code = code;
  }
  override _write(chunk: string, _encoding: string, done: (error?: Error) => void): void {
    if (this.written.length > 0) {
      done(Object.assign(new Error(this.#code), { code: this.#code }));
    } else {
      this.written.push(chunk);
      done();
    }
  }
}

class Kept extends Writable {
  text = '';
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

describe('printer', () => {
  const exitCode = process.exitCode;
  afterEach(() => {
    process.exitCode = exitCode;
  });

  test('writes safe lines', () => {
    const stream = new Kept();
    printer(stream, stream)('a\u001bb');
    assert.equal(stream.text, 'a\\x1bb\n');
  });

  test('a reader that went away is no failure', async () => {
    const stream = new Broken('EPIPE');
    const complaints = new Kept();
    const print = printer(stream, complaints);
    for (const text of ['one', 'two', 'three']) {
      print(text);
      await new Promise(setImmediate);
    }
    assert.deepEqual(stream.written, ['one\n']);
    assert.equal(complaints.text, '');
    assert.equal(process.exitCode, exitCode);
  });

  test('a full disk is told once and makes the exit code 1', async () => {
    const complaints = new Kept();
    const print = printer(new Broken('ENOSPC'), complaints);
    for (const text of ['one', 'two', 'three']) {
      print(text);
      await new Promise(setImmediate);
    }
    assert.equal(complaints.text, 'iaa-zswap: the output cannot be written: ENOSPC\n');
    assert.equal(process.exitCode, 1);
  });
});
