// From a stream to lines: bytes are decoded, and what the agent tells of places becomes words between the lines.

import { plain } from './ansi.js';
import { ENDED, LOST, NOTE, RESUMED, SKIPPED } from './kinds.js';
import { several } from './several.js';

const ENCODINGS = ['utf-16le', 'utf-16be']; // that the agent tells
const SLICE = 8; // ms in which what has come is taken, before others get their turn

const pause = () =>
  new Promise((awake) => {
    setTimeout(awake, 0);
  });

export class Feed {
  /** `{ place, after }`, as a stream that goes on here is opened by; null where a log has no places. */
  place = null;

  #lines;
  #changed; // told after some of it was taken
  #decoder = new TextDecoder();
  #begun = false; // there was a stream before

  constructor(lines, changed) {
    this.#lines = lines;
    this.#changed = changed;
  }

  /** Read a stream to its end. If it goes on where the last one stopped, a character may have been cut in two. */
  async read(stream) {
    const reader = stream.items.getReader();
    let [until, first] = [0, true];
    try {
      for (;;) {
        if (performance.now() > until && !globalThis.document?.hidden) {
          // there timers come once a second or minute
          await pause();
          until = performance.now() + SLICE;
        }
        const { done, value } = await reader.read();
        if (done) return;
        if (first && this.#begun) this.#goOn(value);
        first = false;
        this.#begun = true;
        this.#take(value);
        this.place = stream.place;
        this.#changed();
      }
    } catch (error) {
      if (!error.outcome) throw error; // how it ended is the stream's to tell
    }
  }

  /** Take the next stream for the first one. */
  forget() {
    this.place = null;
    this.#begun = false;
    this.#decoder = new TextDecoder();
  }

  /** A word of ours behind everything. */
  say(words) {
    this.#end(ENDED, words);
    this.#changed();
  }

  #take(item) {
    if (typeof item.place === 'string') this.#switch(ENCODINGS.includes(item.encoding) ? item.encoding : 'utf-8');
    if (item instanceof Uint8Array) this.#lines.append(this.#decoder.decode(item, { stream: true }), Date.now());
    else if (item.lost) this.#end(LOST, 'Lines may be missing here');
    else if (item.skipped > 0)
      this.#end(SKIPPED, `${several(item.skipped, 'line')} left out here, as this page didn't keep up`);
    else if (item.nuls > 0) this.#note(`${several(item.nuls, 'NUL byte')} left out here, as NUL says nothing`);
    else if (typeof item.note === 'string' && item.note) this.#note(plain(item.note.slice(0, 300)));
  }

  #note(words) {
    this.#lines.mark(NOTE, words.slice(0, 1).toUpperCase() + words.slice(1), Date.now(), false);
  }

  #switch(encoding) {
    if (encoding === this.#decoder.encoding) return;
    const rest = this.#decoder.decode();
    if (rest) this.#lines.append(rest, Date.now());
    this.#decoder = new TextDecoder(encoding);
  }

  #goOn(item) {
    if (typeof item.place !== 'string') this.#end(LOST, 'Connected again; lines may be missing here');
    else if (!item.lost) this.#lines.mark(RESUMED, 'Connected again; nothing is missing', Date.now(), false);
  }

  #end(kind, words) {
    const rest = this.#decoder.decode();
    if (rest) this.#lines.append(rest, Date.now());
    this.#lines.mark(kind, words, Date.now(), true);
  }
}
