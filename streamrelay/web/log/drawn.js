// A row as a terminal draws it: carriage returns, backspaces and moves go back in it, and what comes then is written over
// what was there. What is left at the end is what progress bars and spinners mean.

import { seen } from './unseen.js';

const WIDEST = 1000; // columns into which a move leads, where nothing is written yet
/* eslint-disable no-control-regex */
const STEPS = /[\r\x08\t]|[^\r\x08\t]+/g;
/* eslint-enable no-control-regex */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6]|^[\u{20000}-\u{3fffd}]|^\p{Emoji_Presentation}/u;
const JOINED = /^(?:\p{M}|\p{Emoji_Modifier}|\u200c|\u200d)/u; // takes no column of its own
const BLANK = [' ', null];
const REST = ['', null]; // the second column of a wide letter

export class Row {
  /** Whether something that could be read was written over or deleted. */
  over = false;

  #cells = []; // [text, style]
  #column = 0;

  /** A row that looks as these pieces do. */
  static of(pieces) {
    const row = new Row();
    for (const { text, style } of pieces) row.write(text, style);
    row.over = Boolean(pieces.over);
    return row;
  }

  get column() {
    return this.#column;
  }

  set column(column) {
    this.#column = Math.max(0, Math.min(column, Math.max(WIDEST, this.#cells.length)));
  }

  write(text, style) {
    for (const [step] of text.matchAll(STEPS)) {
      if (step === '\r') this.#column = 0;
      else if (step === '\b') this.column -= 1;
      else if (step === '\t') this.#tab();
      else for (const letter of seen(step)) this.#put(letter, style);
    }
  }

  /** A control sequence: a move in the row, or a deletion. */
  control(numbers, final) {
    const count = Math.max(1, Number.parseInt(numbers, 10) || 1);
    if (final === 'C' || final === 'a') this.column += count;
    else if (final === 'D') this.column -= count;
    else if (final === 'G' || final === '`') this.column = count - 1;
    else if (final === 'K') this.#erase(numbers);
    else if (final === 'X') this.#blank(this.#column, this.#column + Math.min(count, WIDEST));
    else if (this.#cells.length > 4 * WIDEST)
      return; // what shifts so much would cost too much, and no terminal is so wide
    else if (final === 'P') this.#lose(this.#cells.splice(this.#column, count));
    else if (final === '@') this.#insert(count);
  }

  /** Empty from its column on. */
  cut() {
    this.#lose(this.#cells.splice(this.#column));
  }

  get pieces() {
    const found = [];
    for (const [text, style] of this.#cells) {
      const last = found.at(-1);
      if (last && last.style === style) last.text += text;
      else found.push({ text, style });
    }
    return Object.assign(found, { over: this.over });
  }

  #put(letter, style) {
    const before = this.#cells[this.#column - 1];
    if (JOINED.test(letter) && before) {
      const owner = before === REST ? this.#column - 2 : this.#column - 1;
      this.#cells[owner] = [this.#cells[owner][0] + letter, this.#cells[owner][1]];
      return;
    }
    this.#set([letter, style]);
    if (WIDE.test(letter)) this.#set(REST);
  }

  #set(cell) {
    const at = this.#column;
    while (this.#cells.length < at) this.#cells.push(BLANK);
    const [letter] = this.#cells[at] ?? BLANK;
    if (this.#cells[at] === REST && cell !== REST) this.#cells[at - 1] = BLANK; // half a letter is none
    if (this.#cells[at + 1] === REST) this.#cells[at + 1] = BLANK;
    if (letter.trim() && letter !== cell[0]) this.over = true;
    this.#cells[at] = cell;
    this.#column += 1;
  }

  #tab() {
    this.column = (Math.floor(this.#column / 8) + 1) * 8;
    while (this.#cells.length < this.#column) this.#cells.push(BLANK);
  }

  #erase(numbers) {
    if (!Number(numbers)) this.cut();
    else if (numbers === '1') this.#blank(0, this.#column + 1);
    else this.#lose(this.#cells.splice(0));
  }

  #blank(begin, end) {
    const until = Math.min(end, this.#cells.length);
    this.#lose(this.#cells.slice(begin, until));
    this.#cells.fill(BLANK, begin, Math.max(begin, until));
  }

  #insert(count) {
    const blanks = Array.from({ length: Math.min(count, WIDEST) }, () => BLANK);
    if (this.#column < this.#cells.length) this.#cells.splice(this.#column, 0, ...blanks);
  }

  #lose(cells) {
    if (cells.some(([letter]) => letter.trim())) this.over = true;
  }
}
