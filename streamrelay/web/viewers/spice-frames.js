// Frames of channels within the bytes of a stream (docs/protocol.rst, "Channels").

export const [OPEN, DATA, EOF, END, WINDOW] = [1, 2, 3, 4, 5];

const HEADER = 8; // bytes: the kind, the length of what follows (3), the channel (4)
const LENGTHS = { [OPEN]: [0, 0], [DATA]: [1, 32_768], [EOF]: [0, 0], [END]: [2, 125], [WINDOW]: [4, 4] };

export function frame(kind, channel, content = new Uint8Array()) {
  const bytes = new Uint8Array(HEADER + content.byteLength);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, (kind << 24) | content.byteLength);
  view.setUint32(4, channel);
  bytes.set(content, HEADER);
  return bytes;
}

export function number32(number) {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, number);
  return bytes;
}

/** Reads frames of bytes that come in any pieces; those of a channel are told as they come, all else as a whole. */
export class FrameReader {
  #told;
  #held = new Uint8Array(HEADER); // a header, or what isn't told in pieces
  #got = 0;
  #kind = 0;
  #channel = 0;
  #left = 0; // of the content

  /** @param {(kind: number, channel: number, content: Uint8Array) => void} told - the content is its own */
  constructor(told) {
    this.#told = told;
  }

  /** Throws a RangeError at what is no frame. */
  take(bytes) {
    for (let at = 0; at < bytes.byteLength; ) {
      if (this.#kind === DATA) at += this.#pass(bytes.subarray(at));
      else at += this.#hold(bytes.subarray(at));
    }
  }

  #pass(bytes) {
    const piece = bytes.slice(0, this.#left);
    this.#left -= piece.byteLength;
    if (!this.#left) this.#kind = 0;
    this.#told(DATA, this.#channel, piece);
    return piece.byteLength;
  }

  #hold(bytes) {
    const piece = bytes.subarray(0, this.#held.byteLength - this.#got);
    this.#held.set(piece, this.#got);
    this.#got += piece.byteLength;
    if (this.#got === this.#held.byteLength) this.#whole(this.#held);
    return piece.byteLength;
  }

  #whole(held) {
    const kind = this.#kind;
    this.#got = 0;
    if (kind) {
      this.#next(0, HEADER);
      this.#told(kind, this.#channel, held);
      return;
    }
    const view = new DataView(held.buffer);
    const length = view.getUint32(0) & 0xffffff;
    this.#channel = view.getUint32(4);
    this.#begin(view.getUint8(0), length);
  }

  #begin(kind, length) {
    const [least, most] = LENGTHS[kind] ?? [1, 0];
    if (length < least || length > most) throw new RangeError(`a frame of type ${kind} and ${length} bytes`);
    this.#left = length;
    if (length) {
      this.#next(kind, kind === DATA ? HEADER : length);
      return;
    }
    this.#next(0, HEADER);
    this.#told(kind, this.#channel, new Uint8Array());
  }

  #next(kind, size) {
    this.#kind = kind;
    this.#held = new Uint8Array(size);
  }
}
