// Rows over which later lines have written by moving the cursor up, as `docker pull` does: how they look by now.
//
// A row has the number of the line with which it began. A line that began in a row that was there is "over": it is none
// of its own. Nothing is done here until something moves up. Rows of other sources between are none of it.

import { pieces, write } from './ansi.js';
import { Row } from './drawn.js';
import { NOTE, REACH, RESUMED, TEXT } from './kinds.js';
import { Pen } from './pen.js';

const MOST = 200; // rows that can be reached: no terminal is as high
const LONGEST = 4096; // characters of an escape that has yet to end
/* eslint-disable no-control-regex */
const UP = /(?:\x1b\[|\x9b)\d*[AF]/;
const UNFINISHED =
  /(?:(?:\x1b\[|\x9b)[0-?]*[ -/]*|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x90-\x9f]*\x1b?|\x1b)$/;
/* eslint-enable no-control-regex */

export class Redrawn {
  #lines;
  #writer;
  #kept = new Map(); // by number: pieces
  #versions = new Map(); // by number: how often it was written to
  #rows = new Map(); // by number: those that may still change
  #reach = []; // numbers of the rows from the highest that was reached to the newest; none while nothing moves up
  #at = 0; // the row of these where the cursor is
  #top = -1; // the highest one, if there is none above it
  #pen = new Pen();
  #held = ''; // of an escape that has yet to end
  #touched = Infinity;
  #unborn = new Set(); // newest rows into which nothing was written before all ended
  #hand = {
    write: (text, style) => this.#write(text, style),
    control: (numbers, final) => this.#control(numbers, final),
  };

  constructor(lines, writer) {
    this.#lines = lines;
    this.#writer = writer;
  }

  /** Whether something has moved up, or is watched for another reason, and no line has ended below since. */
  get awake() {
    return this.#reach.length > 0;
  }

  /** Pieces of a row, if it was written over. */
  pieces(number) {
    return this.#rows.get(number)?.pieces ?? this.#kept.get(number);
  }

  /** Whether it is the newest row, and empty as yet. */
  hides(number) {
    return (this.awake && number === this.#reach.at(-1) && this.#empty(number)) || this.#unborn.has(number);
  }

  /** Differs once a row has changed. */
  version(number) {
    return this.#versions.get(number) ?? 0;
  }

  /** The lowest row that has changed since the last call. */
  takeTouched() {
    const touched = this.#touched;
    this.#touched = Infinity;
    return touched;
  }

  /** More of the newest line, of which `before` is there already. */
  more(before, text) {
    if (this.awake) this.#take(text);
    else if (UP.test(before.slice(-16) + text)) this.wake(before + text);
  }

  /** Watch what becomes of the newest line and those above; `text` is all of it so far. */
  wake(text) {
    const newest = this.#lines.next(this.#writer);
    this.#reach = [newest];
    this.#at = 0;
    this.#pen = new Pen(this.#writer.pen);
    this.#rows.set(newest, new Row());
    this.#take(text);
  }

  /** Its end. Gives whether the next line begins in a row that is there. */
  end() {
    if (!this.awake) return false;
    if (this.#at === this.#reach.length - 1) {
      this.#touch(); // it may have been hidden
      this.sleep();
      return false;
    }
    this.#held = '';
    this.#go(1);
    this.#row.column = 0;
    return true;
  }

  /** The rows stay as they are. */
  sleep() {
    for (const [number, row] of this.#rows) if (number < this.#lines.whole) this.#kept.set(number, row.pieces);
    this.#rows.clear();
    this.#reach = [];
    this.#held = '';
  }

  /** What comes next has nothing to do with all this. */
  leave() {
    const newest = this.#reach.at(-1);
    if (this.awake && this.#empty(newest)) this.#unborn.add(newest);
    this.sleep();
  }

  /** The newest line gets another number. */
  renumber(from, to) {
    const place = from === to ? -1 : this.#reach.indexOf(from);
    if (place < 0) return;
    if (this.#top === from) this.#top = to;
    this.#reach[place] = to;
    if (this.#rows.has(from)) this.#rows.set(to, this.#rows.get(from));
    this.#rows.delete(from);
  }

  /** Lines before this one are gone. */
  drop(first) {
    for (const all of [this.#kept, this.#versions, this.#unborn])
      for (const number of all.keys()) if (number < first) all.delete(number);
    const left = this.#reach.filter((number) => number >= first);
    this.#at = Math.max(0, this.#at - this.#reach.length + left.length);
    this.#reach = left;
    for (const number of this.#rows.keys()) if (number < first) this.#rows.delete(number);
  }

  #empty(number) {
    return !this.#rows.get(number)?.pieces.length;
  }

  #take(text) {
    const all = this.#held + text;
    const cut = UNFINISHED.exec(all.slice(-LONGEST));
    const end = cut ? all.length - cut[0].length : all.length;
    this.#held = all.slice(end);
    write(this.#hand, all.slice(0, end), this.#pen);
  }

  get #row() {
    const number = this.#reach[this.#at];
    if (!this.#rows.has(number)) {
      const looks = this.#kept.get(number) ?? pieces(this.#lines.text(number), this.#lines.pen(number));
      this.#rows.set(number, Row.of(looks));
    }
    return this.#rows.get(number);
  }

  #write(text, style) {
    if (!text) return;
    this.#touch();
    this.#row.write(text, style);
  }

  #touch() {
    const number = this.#reach[this.#at];
    this.#touched = Math.min(this.#touched, number);
    this.#versions.set(number, this.version(number) + 1);
  }

  #control(numbers, final) {
    const count = Math.max(1, Number.parseInt(numbers, 10) || 1);
    if (final === 'A' || final === 'F') this.#go(-count);
    else if (final === 'B' || final === 'E') this.#go(count);
    else if (final === 'J' && !Number(numbers)) this.#cut();
    else {
      this.#touch();
      this.#row.control(numbers, final);
    }
    if (final === 'E' || final === 'F') this.#row.column = 0;
  }

  #go(rows) {
    const { column } = this.#row;
    const wanted = Math.min(this.#at + Math.max(rows, -MOST), this.#reach.length - 1);
    for (let missing = -wanted; missing > 0; missing -= 1) {
      const above = this.#above(this.#reach[0]);
      if (above === null) this.#top = this.#reach[0];
      if (above === null || this.#reach.length >= MOST) break;
      this.#reach.unshift(above);
      this.#at += 1;
    }
    this.#at = Math.max(0, rows < 0 ? this.#at + Math.max(rows, -this.#at) : wanted);
    this.#row.column = column;
  }

  /** Null where there is none, or where lines are missing. */
  #above(below) {
    const lines = this.#lines;
    if (below === this.#top) return null; // it was looked for in vain
    for (let number = below - 1; number >= Math.max(lines.first, below - REACH); number -= 1) {
      if (lines.source(number) !== this.#writer.source) continue;
      const kind = lines.kind(number);
      if (kind === TEXT && !lines.over(number)) return number;
      if (![TEXT, NOTE, RESUMED].includes(kind)) break;
    }
    return null;
  }

  /** Nothing stands from the cursor on. */
  #cut() {
    const [at, { column }] = [this.#at, this.#row];
    for (; this.#at < this.#reach.length; this.#at += 1) {
      this.#touch();
      if (this.#at > at) this.#row.column = 0;
      this.#row.cut();
    }
    this.#at = at;
    this.#row.column = column;
  }
}
