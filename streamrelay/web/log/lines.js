// The lines of a log, up to a million of them in little memory: blocks of text with an index, the oldest dropped.

import { DRAWS, penAfter, plain } from './ansi.js';
import { TEXT } from './kinds.js';
import { Levels } from './levels.js';
import { Redrawn } from './redrawn.js';
import { Traces } from './traces.js';

const BLOCK = 1024; // lines; a block is dropped as a whole
const LONGEST = 65_536; // characters of a line; what is longer goes on in the next one
const OVER = 1; // flag of a line that was written into the row of another one

/**
 * Lines have numbers that stay, from `first` up to but not including `end`. The last one may be without its end yet:
 * then `whole`, behind the last finished one, is one less than `end`.
 */
export class Lines {
  #most;
  #mostCharacters;
  #blocks = []; // as `newBlock` has them, with `text` and `starts` in place of `texts`
  #open = newBlock();
  #rest = ''; // of a line without its end
  #restTime = 0;
  #pen = 0; // with which that line begins
  #over = false; // it goes into the row of another one
  #overs = false; // one ever did
  #traces = new Traces();
  #levels = new Levels();
  #head = 0; // the last line that belongs to no other
  #characters = 0; // in #blocks
  first = 0;
  whole = 0;
  /** Rows that lines have written over. */
  redrawn = new Redrawn(this);

  /** At most so many lines are kept, and so many characters. */
  constructor(most = 1_000_000, mostCharacters = 1 << 28) {
    this.#most = most;
    this.#mostCharacters = mostCharacters;
  }

  get end() {
    return this.whole + (this.#rest ? 1 : 0);
  }

  get count() {
    return this.end - this.first;
  }

  set most(most) {
    this.#most = most;
    this.#drop();
  }

  get most() {
    return this.#most;
  }

  /** Whether lines were ever written into the rows of others. */
  get overs() {
    return this.#overs || this.#over || this.redrawn.awake;
  }

  /** Whether there were lines that belong to those before them. */
  traces = false;

  /** Text of the log, cut anywhere; `time` in milliseconds. */
  append(text, time) {
    let begin = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', begin)) {
      this.#finish(text.slice(begin, at), time);
      begin = at + 1;
    }
    if (begin < text.length) {
      if (!this.#rest) this.#restTime = time;
      this.redrawn.more(this.#rest, text.slice(begin));
      this.#rest += text.slice(begin);
      while (this.#rest.length > LONGEST) this.#cut(this.#restTime);
    }
    this.#drop();
  }

  /** A word of ours, before a line that is without its end, or after that line if it `ends` it. */
  mark(kind, text, time, ends) {
    if (ends) this.#break();
    else this.redrawn.renumber(this.whole, this.whole + 1);
    this.#push(text, time, kind);
    this.#drop();
  }

  /** Take a line without an end for whole. */
  finish() {
    if (!this.#rest) return;
    const rest = this.#rest;
    this.#rest = '';
    this.#push(rest, this.#restTime, TEXT);
  }

  clear() {
    this.redrawn = new Redrawn(this);
    this.#over = this.#overs = this.traces = false;
    this.#pen = 0;
    this.#traces.break();
    this.#levels.break();
    this.#blocks = [];
    this.#open = newBlock();
    this.#rest = '';
    this.#characters = 0;
    const next = Math.ceil(this.whole / BLOCK) * BLOCK;
    this.first = this.whole = next;
  }

  text(number) {
    if (number === this.whole) return this.#rest;
    const [block, at] = this.#find(number);
    if (block === this.#open) return block.texts[at];
    return block.text.slice(block.starts[at], block.starts[at + 1]);
  }

  /** When it came, in milliseconds. */
  time(number) {
    if (number === this.whole) return this.#restTime;
    const [block, at] = this.#find(number);
    return block.times[at];
  }

  kind(number) {
    if (number === this.whole) return TEXT;
    const [block, at] = this.#find(number);
    return block.kinds[at];
  }

  /** The number of the pen with which it begins. */
  pen(number) {
    if (number === this.whole) return this.#pen;
    const [block, at] = this.#find(number);
    return block.pens[at];
  }

  /** Whether it has no row, as it was written into that of a line before. */
  over(number) {
    if (number === this.whole) return this.#over;
    const [block, at] = this.#find(number);
    return (block.flags[at] & OVER) !== 0;
  }

  /** Its level, as a number. */
  level(number) {
    const [block, at] = this.#find(number);
    return number < this.whole ? block.levels[at] : 0; // not known before it ends
  }

  /** How far behind the line it stands to which it belongs, as those of a stack trace do; 0 for one that stands alone. */
  behind(number) {
    const [block, at] = this.#find(number);
    return number < this.whole ? block.behind[at] : 0;
  }

  /** How many numbers behind a line belong to it. */
  followers(number) {
    let count = 0;
    for (let at = 1; number + at < this.whole; at += 1) {
      if (this.behind(number + at) === at) count = at;
      else if (this.kind(number + at) === TEXT) break;
    }
    return count;
  }

  #finish(text, time) {
    const since = this.#rest ? this.#restTime : time;
    this.redrawn.more(this.#rest, text);
    this.#rest += text;
    if (this.#rest.charCodeAt(this.#rest.length - 1) === 13) this.#rest = this.#rest.slice(0, -1);
    while (this.#rest.length > LONGEST) this.#cut(since);
    this.#push(this.#rest, since, TEXT);
    this.#rest = '';
    this.#over = this.redrawn.end();
  }

  /** What is too long goes on in the next line; if it is written over, that is still the same row. */
  #cut(since) {
    const piece = this.#rest.slice(0, LONGEST);
    if (!this.redrawn.awake && DRAWS.test(piece)) this.redrawn.wake(this.#rest);
    this.#push(piece, since, TEXT);
    this.#over = this.redrawn.awake;
    this.#rest = this.#rest.slice(LONGEST);
  }

  /** What follows has nothing to do with what was there: colours and moves end. */
  #break() {
    this.finish();
    this.redrawn.leave();
    this.#over = false;
    this.#pen = 0;
    this.#traces.break();
    this.#levels.break();
  }

  #push(text, time, kind) {
    const block = this.#open;
    if (kind === TEXT) this.#note(text);
    block.times[block.texts.length] = time;
    block.kinds[block.texts.length] = kind;
    block.texts.push(text);
    block.size += text.length;
    this.whole += 1;
    if (block.texts.length === BLOCK) this.#seal();
  }

  /** What is known of a line beside its text. */
  #note(text) {
    const block = this.#open;
    const at = block.texts.length;
    block.pens[at] = this.#pen;
    block.flags[at] = this.#over ? OVER : 0;
    this.#overs ||= this.#over;
    this.#pen = penAfter(text, this.#pen);
    const seen = plain(text);
    const behind = this.#traces.take(seen) ? this.whole - this.#head : 0;
    if (behind) this.traces = true;
    else this.#head = this.whole;
    block.behind[at] = behind;
    block.levels[at] = this.#levels.take(seen, behind > 0);
  }

  /** One text in place of a thousand: each would cost as much again. */
  #seal() {
    const { texts, size, ...rest } = this.#open;
    const starts = new Uint32Array(BLOCK + 1);
    for (let at = 0; at < BLOCK; at += 1) starts[at + 1] = starts[at] + texts[at].length;
    this.#blocks.push({ text: texts.join(''), starts, size, ...rest });
    this.#characters += size;
    this.#open = newBlock();
  }

  #drop() {
    let dropped = 0;
    while (this.#blocks.length > dropped) {
      if (this.count - BLOCK < this.#most && this.#characters <= this.#mostCharacters) break;
      this.#characters -= this.#blocks[dropped].size;
      this.first += BLOCK;
      dropped += 1;
    }
    if (!dropped) return;
    this.#blocks.splice(0, dropped);
    this.redrawn.drop(this.first);
    this.#over &&= this.redrawn.awake;
  }

  #find(number) {
    const from = number - this.first;
    return [this.#blocks[Math.floor(from / BLOCK)] ?? this.#open, from % BLOCK];
  }
}

function newBlock() {
  return {
    texts: [],
    times: new Float64Array(BLOCK),
    kinds: new Uint8Array(BLOCK),
    pens: new Uint16Array(BLOCK),
    flags: new Uint8Array(BLOCK),
    levels: new Uint8Array(BLOCK),
    behind: new Uint16Array(BLOCK),
    size: 0,
  };
}
