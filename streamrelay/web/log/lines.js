// The lines of a log, up to a million of them in little memory: blocks of text with an index, the oldest dropped.

import { REACH, TEXT } from './kinds.js';
import { Writer } from './writer.js';

const BLOCK = 1024; // lines; a block is dropped as a whole
const MOST_WRITERS = 256; // whose places fit into a byte
const OVER = 1; // flag of a line that was written into the row of another one

/**
 * Lines of one or more sources, in the order in which they came. They have numbers that stay, from `first` up to but not
 * including `whole`. Behind them, up to `end`, stands of each source the line that is without its end yet; these change
 * their numbers as other lines come.
 */
export class Lines {
  #most;
  #mostCharacters;
  #blocks = []; // as `newBlock` has them, with `text` and `starts` in place of `texts`
  #open = newBlock();
  #rests = []; // writers that have a line without its end, in the order in which these began
  #characters = 0; // in #blocks
  first = 0;
  whole = 0;
  /** The sources, by their places. */
  writers = [];

  /** At most so many lines are kept, and so many characters. */
  constructor(most = 1_000_000, mostCharacters = 1 << 28) {
    this.#most = most;
    this.#mostCharacters = mostCharacters;
  }

  /** A further source. */
  writer() {
    if (this.writers.length === MOST_WRITERS) throw new RangeError(`a log has at most ${MOST_WRITERS} sources`);
    const made = new Writer(this, this.writers.length);
    this.writers.push(made);
    return made;
  }

  get end() {
    return this.whole + this.#rests.length;
  }

  get count() {
    return this.end - this.first;
  }

  /** How many were dropped, as there were too many. */
  get dropped() {
    return this.writers.reduce((sum, { dropped }) => sum + dropped, 0);
  }

  set most(most) {
    this.#most = most;
    this.drop();
  }

  get most() {
    return this.#most;
  }

  /** Whether lines were ever written into the rows of others. */
  get overs() {
    return this.writers.some(({ overs, over, redrawn }) => overs || over || redrawn.awake);
  }

  /** Whether there were lines that belong to those before them. */
  get traces() {
    return this.writers.some(({ traces }) => traces);
  }

  clear() {
    this.#blocks = [];
    this.#open = newBlock();
    this.#rests = [];
    this.#characters = 0;
    const next = Math.ceil(this.whole / BLOCK) * BLOCK;
    this.first = this.whole = next;
    for (const writer of this.writers) writer.clear();
  }

  text(number) {
    if (number >= this.whole) return this.#rest(number)?.rest ?? '';
    const [block, at] = this.#find(number);
    if (block === this.#open) return block.texts[at];
    return block.text.slice(block.starts[at], block.starts[at + 1]);
  }

  /** When it came, in milliseconds. */
  time(number) {
    return this.#of(number, 'times', (writer) => writer.since);
  }

  kind(number) {
    return this.#of(number, 'kinds', () => TEXT);
  }

  /** The place of its source. */
  source(number) {
    return this.#of(number, 'sources', (writer) => writer.source);
  }

  /** Its source itself. */
  of(number) {
    return this.writers[this.source(number)];
  }

  /** The number of the pen with which it begins. */
  pen(number) {
    return this.#of(number, 'pens', (writer) => writer.pen);
  }

  /** Whether it has no row, as it was written into that of a line before. */
  over(number) {
    return (this.#of(number, 'flags', (writer) => (writer.over ? OVER : 0)) & OVER) !== 0;
  }

  /** Its level, as a number; not known before it ends. */
  level(number) {
    return this.#of(number, 'levels', () => 0);
  }

  /** How far behind the line it stands to which it belongs, as those of a stack trace do; 0 for one that stands alone. */
  behind(number) {
    return this.#of(number, 'behind', () => 0);
  }

  /** The numbers of those that belong to a line. */
  followers(number) {
    const found = [];
    const source = this.source(number);
    for (let at = number + 1; at < this.whole && at <= number + REACH; at += 1) {
      if (this.source(at) !== source) continue;
      if (this.behind(at) === at - number) found.push(at);
      else if (this.kind(at) === TEXT) break;
    }
    return found;
  }

  /** The lowest one that was written over since the last call. */
  takeTouched() {
    return Math.min(...this.writers.map(({ redrawn }) => redrawn.takeTouched()));
  }

  // -- for the sources -----------------------------------------------------------------------------------------

  /** One has a line without its end. */
  begin(writer) {
    if (!this.#rests.includes(writer)) this.#rests.push(writer);
  }

  /** The number of one's line without an end, or of the next one. */
  next(writer) {
    return this.whole + Math.max(0, this.#rests.indexOf(writer));
  }

  /** One line more. Text is one's line without its end, which has come to that. */
  push(writer, { text, time, kind, pen = 0, over = false, behind = 0, level = 0 }) {
    this.#renumber(kind === TEXT ? this.#rests.indexOf(writer) : -1);
    const block = this.#open;
    const at = block.texts.length;
    block.times[at] = time;
    block.kinds[at] = kind;
    block.sources[at] = writer.source;
    block.pens[at] = pen;
    block.flags[at] = over ? OVER : 0;
    block.behind[at] = behind;
    block.levels[at] = level;
    block.texts.push(text);
    block.size += text.length;
    writer.count += 1;
    this.whole += 1;
    if (block.texts.length === BLOCK) this.#seal();
  }

  /** The oldest go if there are too many. */
  drop() {
    let dropped = 0;
    while (this.#blocks.length > dropped) {
      if (this.count - BLOCK < this.#most && this.#characters <= this.#mostCharacters) break;
      const { size, sources } = this.#blocks[dropped];
      this.#characters -= size;
      for (const source of sources) this.writers[source].lose();
      this.first += BLOCK;
      dropped += 1;
    }
    if (!dropped) return;
    this.#blocks.splice(0, dropped);
    for (const writer of this.writers) writer.drop(this.first);
  }

  /** A line comes between the whole ones and those without an end, of which it may be one: the one at `ends`. */
  #renumber(ends) {
    for (const [at, { redrawn }] of this.#rests.entries()) {
      if (at === ends) redrawn.renumber(this.whole + at, this.whole);
      else if (ends < 0 || at < ends) redrawn.renumber(this.whole + at, this.whole + at + 1);
    }
    if (ends >= 0) this.#rests.splice(ends, 1);
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

  #rest(number) {
    return this.#rests[number - this.whole];
  }

  /** What is known of a line: by the index, or of its writer while it is without its end. */
  #of(number, what, unfinished) {
    if (number >= this.whole) return unfinished(this.#rest(number) ?? this.writers[0]);
    const [block, at] = this.#find(number);
    return block[what][at];
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
    sources: new Uint8Array(BLOCK),
    pens: new Uint16Array(BLOCK),
    flags: new Uint8Array(BLOCK),
    levels: new Uint8Array(BLOCK),
    behind: new Uint16Array(BLOCK),
    size: 0,
  };
}
