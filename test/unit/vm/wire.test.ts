import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeLine, FrameReader } from '../../../src/vm/wire.js';

function frame(type: string, payload: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(Buffer.byteLength(payload));
  return Buffer.concat([Buffer.from(type), length, Buffer.from(payload)]);
}

function shown(reader: FrameReader, bytes: Buffer): string[] {
  return reader.push(bytes).map(({ type, payload }) => `${type}:${payload.toString()}`);
}

test('the words of a line hold neither blank nor newline', () => {
  assert.equal(
    encodeLine(['run', '/', '0', 'a b', '', 'x\ny', '%']),
    'run / 0 a%20b  x%0Ay %25\n'.replace('/', '%2F'),
  );
  assert.equal(encodeLine(['Grüße']), 'Gr%C3%BC%C3%9Fe\n');
});

test('frames come out whole, however the bytes come in', () => {
  const bytes = Buffer.concat([frame('h', 'N'), frame('1', 'out'), frame('2', ''), frame('x', 'exit 0')]);
  const expected = ['h:N', '1:out', '2:', 'x:exit 0'];
  assert.deepEqual(shown(new FrameReader('N'), bytes), expected);
  for (let cut = 1; cut < bytes.length; cut += 1) {
    const reader = new FrameReader('N');
    const got = [...shown(reader, bytes.subarray(0, cut)), ...shown(reader, bytes.subarray(cut))];
    assert.deepEqual(got, expected, `cut at ${cut}`);
  }
  const byByte = new FrameReader('N');
  assert.deepEqual(
    [...bytes].flatMap((byte) => shown(byByte, Buffer.from([byte]))),
    expected,
  );
});

test('what was meant for a client before us is skipped', () => {
  const reader = new FrameReader('mine');
  const stale = Buffer.concat([
    Buffer.from('lf a frame'),
    frame('1', 'old'),
    frame('h', 'other'),
    frame('x', 'exit 1'),
  ]);
  assert.deepEqual(shown(reader, stale), []);
  assert.deepEqual(shown(reader, frame('h', 'mi').subarray(0, 3)), []);
  assert.deepEqual(shown(reader, Buffer.concat([frame('h', 'mine'), frame('1', 'new')])), [
    'h:mine',
    '1:new',
  ]);
});
