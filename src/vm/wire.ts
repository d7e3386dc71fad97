/** Types of the frames that the guest sends (docs/guest.md; native/guest/wire.h). */
export const FrameType = { hello: 'h', stdout: '1', stderr: '2', end: 'x', refused: 'e' } as const;

/** One frame from the guest. */
export interface Frame {
  readonly type: string;
  readonly payload: Buffer;
}

const headerBytes = 5;

/** A line for the guest: the words percent-encoded, so that none holds a blank or a newline. */
export function encodeLine(words: readonly string[]): string {
  return `${words.map(encodeURIComponent).join(' ')}\n`;
}

function encodeFrame(type: string, payload: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.write(type, 0, 'latin1');
  header.writeUInt32LE(payload.length, 1);
  return Buffer.concat([header, payload]);
}

/** Cuts what the guest sends into frames. */
export class FrameReader {
  #buffered = Buffer.alloc(0);
  /** The answer to our greeting; what comes before it was meant for a client that has gone. */
  #awaited: Buffer | undefined;

  constructor(nonce: string) {
    this.#awaited = encodeFrame(FrameType.hello, Buffer.from(nonce));
  }

  /** Takes in bytes and gives the frames that they complete, the greeting's answer first. */
  push(bytes: Buffer): Frame[] {
    this.#buffered = Buffer.concat([this.#buffered, bytes]);
    if (this.#awaited !== undefined) {
      const at = this.#buffered.indexOf(this.#awaited);
      if (at < 0) {
        this.#buffered = this.#buffered.subarray(Math.max(0, this.#buffered.length - this.#awaited.length));
        return [];
      }
      this.#buffered = this.#buffered.subarray(at);
      this.#awaited = undefined;
    }
    const frames: Frame[] = [];
    while (this.#buffered.length >= headerBytes) {
      const end = headerBytes + this.#buffered.readUInt32LE(1);
      if (this.#buffered.length < end) break;
      const type = this.#buffered.toString('latin1', 0, 1);
      frames.push({ type, payload: this.#buffered.subarray(headerBytes, end) });
      this.#buffered = this.#buffered.subarray(end);
    }
    return frames;
  }
}
