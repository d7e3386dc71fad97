import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ParseError } from '../../../src/errors.js';
import { parseMadvise } from '../../../src/run/madvise-output.js';

const text = `asked for 2621440 pages: 16 were gone before, 48 were left
pageout 2621392 pages: p50 3503.4 ns, p99 3695.1 ns a page
readback 2621392 pages: p50 1911.0 ns, p99 2400.8 ns a page
`;

describe('parseMadvise', () => {
  it('reads every line', () => {
    assert.deepEqual(parseMadvise(text), {
      askedPages: 2621440,
      gonePages: 16,
      leftPages: 48,
      pageout: { pages: 2621392, p50Ns: 3503.4, p99Ns: 3695.1 },
      readback: { pages: 2621392, p50Ns: 1911, p99Ns: 2400.8 },
    });
  });

  it('reads what is printed where nothing was paged out', () => {
    assert.deepEqual(parseMadvise('asked for 16 pages: 0 were gone before, 16 were left\n'), {
      askedPages: 16,
      gonePages: 0,
      leftPages: 16,
      pageout: undefined,
      readback: undefined,
    });
  });

  for (const [what, wrong] of Object.entries({
    nothing: '',
    'a line that was cut off': text.slice(0, -1),
    'a line less': text.slice(0, text.lastIndexOf('readback')),
    'a foreign line': `${text}Killed\n`,
    'a negative number': text.replace('48', '-48'),
    'no percentile': text.replace('3503.4', 'nan'),
  })) {
    it(`refuses ${what}`, () => {
      assert.throws(() => parseMadvise(wrong), ParseError);
    });
  }
});
