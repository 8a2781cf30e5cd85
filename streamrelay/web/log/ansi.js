// Terminal escapes in a line: colours are understood, all else is taken out, and nothing that deceives stays unseen.

import { Row } from './drawn.js';
import { Pen } from './pen.js';
import { SUSPECT, seen } from './unseen.js';

/* eslint-disable no-control-regex */
// ECMA-48: control sequences; strings (titles, links, the clipboard …), but for those without an end, which would hide
// the rest of a line; other escapes. No expression here takes more than linear time.
const ESCAPES = new RegExp(
  [
    /(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])/,
    /(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90-\x9f]*(?:\x07|\x1b\\|\x9c)/,
    /\x1b[ -/]*[0-~]/,
  ]
    .map(({ source }) => source)
    .join('|'),
  'g',
);
/** What writes over a line: carriage returns, backspaces, moves and deletions. */
export const DRAWS = /[\r\x08]|(?:\x1b\[|\x9b)[\d;]*[@CDGKPX`a]/;
const COLOURED = /[\x1b\x9b]/;
/* eslint-enable no-control-regex */

/** A line as people see it, without escapes and a byte order mark; what can't be seen is shown as a symbol. */
export function plain(line) {
  if (!SUSPECT.test(line)) return line;
  if (DRAWS.test(line)) return text(pieces(line));
  return seen(withoutMark(line).replace(ESCAPES, ''));
}

/** What stands in pieces. */
export const text = (all) => all.map((piece) => piece.text).join('');

/** A file may begin with it, so the line does with which the next file goes on. */
function withoutMark(line) {
  return line.startsWith('\uFEFF') ? line.slice(1) : line;
}

/**
 * The same in pieces `{ text, style }`, as a terminal would have ended it that began with a pen of this number. Where
 * text was written over, `pieces.over` is true.
 */
export function pieces(line, number = 0) {
  if (!number && !SUSPECT.test(line)) return [{ text: line, style: null }];
  const row = DRAWS.test(line) ? new Row() : new Written();
  write(row, withoutMark(line), new Pen(number));
  return row.pieces;
}

/** The number of a pen behind a line. */
export function penAfter(line, number) {
  if (!COLOURED.test(line)) return number;
  const pen = new Pen(number);
  for (const [, numbers, final] of line.matchAll(ESCAPES)) if (final === 'm') pen.take(numbers);
  return pen.number;
}

/** Write into what has `write(text, style)` and `control(numbers, final)`. */
export function write(row, line, pen) {
  let begin = 0;
  for (const match of line.matchAll(ESCAPES)) {
    const [all, numbers, final] = match;
    row.write(line.slice(begin, match.index), pen.style);
    begin = match.index + all.length;
    if (final === 'm') pen.take(numbers);
    else if (final) row.control(numbers, final);
  }
  row.write(line.slice(begin), pen.style);
}

/** A row that nothing writes over. */
class Written {
  pieces = [];

  write(part, style) {
    if (part) this.pieces.push({ text: seen(part), style });
  }

  /** @type {(numbers: string, final: string) => void} */
  control = () => {};
}
