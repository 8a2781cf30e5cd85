// Which lines match: looked for in slices, so that the page stays usable over a million lines, and kept as more come.

const SLICE = 8; // ms of work at once
const STEP = 256; // lines between two looks at the clock

/**
 * A test of texts, made of what somebody typed; null for nothing. Throws a `SyntaxError` for a bad expression.
 * `expression`: a regular one of JavaScript's; `exact`: upper and lower case differ.
 */
export function pattern({ text, expression = false, exact = false }) {
  if (!text) return null;
  const source = expression ? text : text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return new RegExp(source, exact ? 'g' : 'gi');
}

/** Numbers of matching lines, in their order, from the first `update` on; `changed()` is called after each slice. */
export class Matches {
  #lines;
  #test;
  #changed;
  #numbers = new Float64Array(1024);
  #from = 0; // those before have been dropped
  #to = 0;
  #timer = 0;
  /** All lines before this one were looked at. */
  seen;

  constructor(lines, test, changed) {
    this.#lines = lines;
    this.#test = test;
    this.#changed = changed;
    this.seen = lines.first;
  }

  get count() {
    return this.#to - this.#from;
  }

  get done() {
    return this.seen >= this.#lines.whole;
  }

  at(index) {
    return this.#numbers[this.#from + index];
  }

  /** How many are before this line. */
  rank(number) {
    let [low, high] = [this.#from, this.#to];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#numbers[middle] < number) low = middle + 1;
      else high = middle;
    }
    return low - this.#from;
  }

  /** Whether a line that has no end yet would match. */
  fits(number) {
    return this.#test(number);
  }

  /** Lines from this one on may have changed. */
  back(number) {
    if (number >= this.seen) return;
    this.#to = this.#from + this.rank(number);
    this.seen = number;
  }

  /** Of the lines from `begin` to before `end` others may match than did. */
  again(begin, end) {
    const until = Math.min(end, this.seen);
    const [low, high] = [begin, until].map((number) => this.#from + this.rank(number));
    const between = Array.from({ length: Math.max(0, until - begin) }, (_, at) => begin + at).filter(this.#test);
    const all = [this.#numbers.subarray(this.#from, low), between, this.#numbers.subarray(high, this.#to)];
    const length = all.reduce((sum, each) => sum + each.length, 0);
    this.#numbers = new Float64Array(Math.max(1024, length));
    [this.#from, this.#to] = [0, 0];
    for (const each of all) {
      this.#numbers.set(each, this.#to);
      this.#to += each.length;
    }
  }

  /** There are more lines, or the oldest were dropped. */
  update() {
    const { first } = this.#lines;
    if (this.#to > this.#from && this.#numbers[this.#from] < first) this.#from += this.rank(first);
    if (!this.done && !this.#timer) this.#slice();
  }

  stop() {
    clearTimeout(this.#timer);
    this.#timer = -1;
  }

  #slice() {
    this.#timer = 0;
    const until = performance.now() + SLICE;
    this.seen = Math.max(this.seen, this.#lines.first);
    while (!this.done) {
      this.#step(); // at least one, however busy the machine is
      if (performance.now() >= until) break;
    }
    if (!this.done) this.#timer = setTimeout(() => this.#slice(), 0);
    this.#changed();
  }

  #step() {
    const lines = this.#lines;
    const end = Math.min(this.seen + STEP, lines.whole);
    for (let number = this.seen; number < end; number += 1) {
      if (this.#test(number)) this.#put(number);
    }
    this.seen = end;
  }

  #put(number) {
    if (this.#to === this.#numbers.length) {
      const kept = this.#numbers.subarray(this.#from, this.#to);
      this.#numbers = new Float64Array(Math.max(1024, kept.length * 2));
      this.#numbers.set(kept);
      [this.#from, this.#to] = [0, kept.length];
    }
    this.#numbers[this.#to] = number;
    this.#to += 1;
  }
}
