// One source of lines: where its text becomes lines, with its own colours, stack traces, and rows that are written over.

import { DRAWS, penAfter, plain } from './ansi.js';
import { REACH, TEXT } from './kinds.js';
import { Levels } from './levels.js';
import { Redrawn } from './redrawn.js';
import { Traces } from './traces.js';

const LONGEST = 65_536; // characters of a line; what is longer goes on in the next one

export class Writer {
  /** What its lines are called by; empty where there is no other source. */
  name = '';
  /** Its place among the sources. */
  source;
  /** The line without its end, when that came, the number of the pen with which it begins, and whether it goes into the
   * row of another one. */
  rest = '';
  since = 0;
  pen = 0;
  over = false;
  /** Whether one ever did, and whether one belonged to another. */
  overs = false;
  traces = false;
  /** Lines that are kept, and those that were dropped. */
  count = 0;
  dropped = 0;
  /** Rows that lines have written over. */
  redrawn;

  #lines;
  #traces = new Traces();
  #levels = new Levels();
  #head = Infinity; // the last line that belongs to no other

  constructor(lines, source) {
    this.#lines = lines;
    this.source = source;
    this.redrawn = new Redrawn(lines, this);
  }

  /** Text of the log, cut anywhere; `time` in milliseconds. */
  append(text, time) {
    let begin = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', begin)) {
      this.#finish(text.slice(begin, at), time);
      begin = at + 1;
    }
    if (begin < text.length) {
      if (!this.rest) this.since = time;
      this.#lines.begin(this);
      this.redrawn.more(this.rest, text.slice(begin));
      this.rest += text.slice(begin);
      while (this.rest.length > LONGEST) this.#cut();
    }
    this.#lines.drop();
  }

  /** A word of ours, before a line that is without its end, or after that line if it `ends` it. */
  mark(kind, text, time, ends) {
    if (ends) this.#break();
    this.#lines.push(this, { text, time, kind });
    this.#lines.drop();
  }

  /** Take a line without an end for whole. */
  finish() {
    if (this.rest) this.#push(this.rest, '');
  }

  /** One of its lines is dropped. */
  lose() {
    this.count -= 1;
    this.dropped += 1;
  }

  /** Lines before this one are gone. */
  drop(first) {
    this.redrawn.drop(first);
    this.over &&= this.redrawn.awake;
  }

  /** Nothing is left of it. */
  clear() {
    this.redrawn = new Redrawn(this.#lines, this);
    this.rest = '';
    this.count = this.dropped = 0;
    this.overs = this.traces = false;
    this.#renew();
  }

  #finish(text, time) {
    if (!this.rest) this.since = time;
    this.redrawn.more(this.rest, text);
    this.rest += text;
    if (this.rest.charCodeAt(this.rest.length - 1) === 13) this.rest = this.rest.slice(0, -1);
    while (this.rest.length > LONGEST) this.#cut();
    this.#push(this.rest, '');
    this.over = this.redrawn.end();
  }

  /** What is too long goes on in the next line; if it is written over, that is still the same row. */
  #cut() {
    const piece = this.rest.slice(0, LONGEST);
    if (!this.redrawn.awake && DRAWS.test(piece)) this.redrawn.wake(this.rest);
    this.#push(piece, this.rest.slice(LONGEST));
    this.over = this.redrawn.awake;
  }

  /** What follows has nothing to do with what was there: colours and moves end. */
  #break() {
    this.finish();
    this.redrawn.leave();
    this.#renew();
  }

  #renew() {
    this.over = false;
    this.pen = 0;
    this.#traces.break();
    this.#levels.break();
  }

  #push(text, rest) {
    const [pen, { over }, number] = [this.pen, this, this.#lines.whole];
    this.overs ||= over;
    this.pen = penAfter(text, pen);
    const seen = plain(text);
    const distance = this.#traces.take(seen) ? number - this.#head : 0;
    const behind = distance > REACH ? 0 : Math.max(0, distance); // a log may begin within a trace
    if (behind) this.traces = true;
    else this.#head = number;
    const level = this.#levels.take(seen, behind > 0);
    this.rest = rest;
    this.#lines.push(this, { text, time: this.since, kind: TEXT, pen, over, behind, level });
    if (rest) this.#lines.begin(this);
  }
}
