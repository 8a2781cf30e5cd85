// The last bytes of a stream, in blocks, so that many small pieces cost no more than few large ones.

const BLOCK = 65536;

export class LastBytes {
  /** Bytes that came in all. */
  came = 0;

  #most;
  #blocks = [];
  #used = BLOCK; // of the last block

  /** @param {number} most - bytes that are kept at least, if so many came; a block more at most */
  constructor(most) {
    this.#most = Math.ceil(most / BLOCK) + 1;
  }

  append(bytes) {
    this.came += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      if (this.#used === BLOCK) {
        this.#blocks.push(new Uint8Array(BLOCK));
        this.#used = 0;
        if (this.#blocks.length > this.#most) this.#blocks.shift();
      }
      const piece = bytes.subarray(at, at + BLOCK - this.#used);
      this.#blocks.at(-1).set(piece, this.#used);
      this.#used += piece.length;
      at += piece.length;
    }
  }

  /** All that are kept, in order. */
  parts() {
    return this.#blocks.map((block, at) => (at === this.#blocks.length - 1 ? block.subarray(0, this.#used) : block));
  }

  /** The last `size` bytes, which must be among those that are kept. */
  last(size) {
    const bytes = new Uint8Array(size);
    let end = size;
    for (const part of this.parts().reverse()) {
      const piece = part.subarray(Math.max(0, part.length - end));
      end -= piece.length;
      bytes.set(piece, end);
      if (!end) break;
    }
    return bytes;
  }
}
