// Words for screen readers that change often: they are told the last ones, and not each second.

import { write } from './dom.js';

const PAUSE = 10_000; // ms from one to the next

export class Spoken {
  #where;
  #timer = 0;
  #last = -PAUSE;

  constructor(where) {
    this.#where = where;
  }

  /** Say it once there has been a pause; `wait` is how many ms to wait at least, as it may change meanwhile. */
  say(words, wait = 0) {
    clearTimeout(this.#timer);
    if (this.#where.textContent === words) return;
    const now = performance.now();
    const pause = wait || Math.max(0, this.#last + PAUSE - now);
    const say = () => {
      this.#last = performance.now();
      write(this.#where, words);
    };
    if (pause && words) this.#timer = setTimeout(say, pause);
    else say();
  }
}
