// The lines that are kept as one text, put together in slices.

import { TEXT } from './kinds.js';

const SLICE = 8; // ms of work at once
const PIECE = 4096; // lines
const MOST = 64 << 20; // characters that are copied

export class Export {
  #lines;
  #shown;
  #numbers;

  /** `numbers`: which lines; `shown`: how. */
  constructor(lines, shown, numbers) {
    this.#lines = lines;
    this.#shown = shown;
    this.#numbers = numbers;
  }

  /** Let the browser save them. */
  async save(name) {
    const blob = new Blob(await this.#pieces(Infinity), { type: 'text/plain' });
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  /** The newest that are no more than `MOST`. */
  async text() {
    return (await this.#pieces(MOST)).join('');
  }

  async #pieces(most) {
    const numbers = this.#numbers;
    const pieces = [];
    let [size, until] = [0, performance.now() + SLICE];
    for (let end = numbers.length; end > 0 && size < most; end -= PIECE) {
      const piece = numbers
        .slice(Math.max(0, end - PIECE), end)
        .map((line) => this.#line(line))
        .join('');
      pieces.push(piece);
      size += piece.length;
      if (performance.now() < until) continue;
      await new Promise((awake) => {
        setTimeout(awake, 0);
      });
      until = performance.now() + SLICE;
    }
    return pieces.reverse();
  }

  /** Without escapes, as it may be pasted into a terminal; nothing if it was dropped meanwhile. */
  #line(number) {
    const lines = this.#lines;
    if (number < lines.first || number >= lines.end) return '';
    const text = this.#shown.plain(number);
    const { name } = lines.of(number);
    return `${name && `${name}: `}${lines.kind(number) === TEXT ? text : `--- ${text} ---`}\n`;
  }
}
