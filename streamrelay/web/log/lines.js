// The lines of a log, up to a million of them in little memory: blocks of text with an index, the oldest dropped.

const BLOCK = 1024; // lines; a block is dropped as a whole
const LONGEST = 65_536; // characters of a line; what is longer goes on in the next one

/** What a line is: text of the log, or a word of ours between. */
export const TEXT = 0;
export const SKIPPED = 1;
export const LOST = 2;
export const RESUMED = 3;
export const ENDED = 4;
export const NOTE = 5;

/**
 * Lines have numbers that stay, from `first` up to but not including `end`. The last one may be without its end yet:
 * then `whole`, behind the last finished one, is one less than `end`.
 */
export class Lines {
  #most;
  #mostCharacters;
  #blocks = []; // { text, starts, times, kinds, size }
  #open = newBlock();
  #rest = ''; // of a line without its end
  #restTime = 0;
  #characters = 0; // in #blocks
  first = 0;
  whole = 0;

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

  /** Text of the log, cut anywhere; `time` in milliseconds. */
  append(text, time) {
    let begin = 0;
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', begin)) {
      this.#finish(text.slice(begin, at), time);
      begin = at + 1;
    }
    if (begin < text.length) {
      if (!this.#rest) this.#restTime = time;
      this.#rest += text.slice(begin);
      while (this.#rest.length > LONGEST) this.#cut();
    }
    this.#drop();
  }

  /** A word of ours, before a line that is without its end, or after that line if it `ends` it. */
  mark(kind, text, time, ends) {
    if (ends) this.finish();
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

  #finish(text, time) {
    const since = this.#rest ? this.#restTime : time;
    let line = this.#rest + text;
    this.#rest = '';
    if (line.charCodeAt(line.length - 1) === 13) line = line.slice(0, -1);
    for (; line.length > LONGEST; line = line.slice(LONGEST)) this.#push(line.slice(0, LONGEST), since, TEXT);
    this.#push(line, since, TEXT);
  }

  #cut() {
    this.#push(this.#rest.slice(0, LONGEST), this.#restTime, TEXT);
    this.#rest = this.#rest.slice(LONGEST);
  }

  #push(text, time, kind) {
    const block = this.#open;
    block.times[block.texts.length] = time;
    block.kinds[block.texts.length] = kind;
    block.texts.push(text);
    block.size += text.length;
    this.whole += 1;
    if (block.texts.length === BLOCK) this.#seal();
  }

  /** One text in place of a thousand: each would cost as much again. */
  #seal() {
    const { texts, times, kinds, size } = this.#open;
    const starts = new Uint32Array(BLOCK + 1);
    for (let at = 0; at < BLOCK; at += 1) starts[at + 1] = starts[at] + texts[at].length;
    this.#blocks.push({ text: texts.join(''), starts, times, kinds, size });
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
    if (dropped) this.#blocks.splice(0, dropped);
  }

  #find(number) {
    const from = number - this.first;
    return [this.#blocks[Math.floor(from / BLOCK)] ?? this.#open, from % BLOCK];
  }
}

function newBlock() {
  return { texts: [], times: new Float64Array(BLOCK), kinds: new Uint8Array(BLOCK), size: 0 };
}
