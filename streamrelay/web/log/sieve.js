// Which lines are let through: by what is typed, by their level, and by the stack traces that are folded.

import { TEXT } from './kinds.js';

export class Sieve {
  /** What has to be there, or not to be there if `inverse`; null for anything. */
  expression = null;
  inverse = false;
  /** The lowest level that is shown; 0 for all lines. */
  level = 0;
  /** Places of sources of which nothing is shown. */
  hidden = new Set();
  /** Whether stack traces are folded with their line. */
  folding = true;

  shown;
  #lines;
  #opened = new Set(); // numbers of lines whose traces aren't folded

  constructor(lines, shown) {
    this.#lines = lines;
    this.shown = shown;
  }

  /** Whether nobody asked for less than all. */
  get idle() {
    return !this.expression && !this.level && !this.hidden.size;
  }

  /** Whether there may be lines that it holds back. */
  get holds() {
    return !this.idle || (this.folding && this.#lines.traces) || (this.#lines.overs && !this.shown.raw);
  }

  /** Whether a line has a row that can be seen. */
  through(number) {
    const lines = this.#lines;
    if (!this.#has(number)) return false;
    if (lines.kind(number) !== TEXT) return true; // our own words stay where they are
    if (lines.level(number) < this.level) return false;
    const distance = this.folding ? lines.behind(number) : 0;
    const behind = number - distance < lines.first ? 0 : distance; // its line is gone
    const fits = this.#fits(number);
    if (!behind) return fits;
    if (!this.#opened.has(number - behind)) return fits && this.expression !== null && !this.inverse;
    return fits || this.#fits(number - behind);
  }

  /** Whether a search for this expression finds it, though its trace may be folded. */
  finds(number, expression) {
    const lines = this.#lines;
    if (!this.#has(number) || lines.kind(number) !== TEXT || lines.level(number) < this.level) return false;
    expression.lastIndex = 0;
    return this.#fits(number) && expression.test(this.shown.plain(number));
  }

  /** Numbers of the lines in these rows, with those that are folded with them, in their order. */
  withFolded(rows) {
    const numbers = [];
    let folded = []; // that come behind further rows
    const folding = this.folding && this.#lines.traces;
    for (let row = 0; row < rows.count; row += 1) {
      const number = rows.at(row);
      while (folded[0] < number) numbers.push(folded.shift());
      if (folded[0] === number) folded.shift();
      numbers.push(number);
      const followers = folding ? this.#lines.followers(number).filter((each) => this.shown.has(each)) : [];
      if (followers.length) folded = [...folded, ...followers].sort((one, other) => one - other);
    }
    return numbers.concat(folded);
  }

  isOpen(number) {
    return !this.folding || this.#opened.has(number);
  }

  /** Unfold the trace of a line, or fold it. */
  toggle(number) {
    if (!this.#opened.delete(number)) this.#opened.add(number);
  }

  #has(number) {
    return this.shown.has(number) && !this.hidden.has(this.#lines.source(number));
  }

  #fits(number) {
    if (!this.expression) return true;
    this.expression.lastIndex = 0;
    return this.expression.test(this.shown.plain(number)) !== this.inverse;
  }
}
