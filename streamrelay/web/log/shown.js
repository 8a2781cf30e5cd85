// What is shown of a line: as a terminal would have ended it, or raw.

import { pieces, plain, text } from './ansi.js';
import { TEXT } from './kinds.js';
import { seen } from './unseen.js';

export class Shown {
  /** Whether all that came is shown, with a symbol for each control character. */
  raw = false;

  #lines;

  constructor(lines) {
    this.#lines = lines;
  }

  /** Whether it has a row: it is text of the log that didn't go into the row of another line, or a word of ours. */
  has(number) {
    const lines = this.#lines;
    return this.raw || !(lines.over(number) || lines.of(number).redrawn.hides(number));
  }

  /** In pieces `{ text, style }`. */
  pieces(number) {
    const lines = this.#lines;
    const line = lines.text(number);
    if (lines.kind(number) !== TEXT) return [{ text: line, style: null }];
    if (this.raw) return [{ text: seen(line), style: null }];
    return lines.of(number).redrawn.pieces(number) ?? pieces(line, lines.pen(number));
  }

  /** Without colours. */
  plain(number) {
    const lines = this.#lines;
    const line = lines.text(number);
    if (lines.kind(number) !== TEXT) return line;
    if (this.raw) return seen(line);
    const redrawn = lines.of(number).redrawn.pieces(number);
    return redrawn ? text(redrawn) : plain(line);
  }

  /** Differs once it looks other than before: one without its end may grow, and one may be written over. */
  stamp(number) {
    const lines = this.#lines;
    const { redrawn, source } = lines.of(number);
    return `${redrawn.version(number)}${number < lines.whole ? '' : ` ${source} ${lines.text(number)}`}`;
  }
}
