// Whether there are as many hosts as changes have told, looked at now and then: a link may have died, and nobody says so.

import { count } from './polled.js';

const EACH = 20_000; // ms from one look to the next

/** A look that finds other numbers may only be early; if the next one does, too, and nothing was told between, it is so. */
export class Check {
  told = false; // whether changes have come since the last look

  #numbers;
  #acts;
  #timer = 0;
  #turn = 0;
  #differed = false;

  /** `numbers()` are those that were told, `up` and `down`; `acts` are `differs()` and `failed(problem)`, each of which ends it. */
  constructor(numbers, acts) {
    this.#numbers = numbers;
    this.#acts = acts;
  }

  start() {
    this.stop();
    this.#differed = false;
    this.#later();
  }

  stop() {
    this.#turn += 1;
    clearTimeout(this.#timer);
  }

  #later() {
    this.told = false;
    this.#timer = setTimeout(() => void this.#look(this.#turn), EACH);
  }

  async #look(turn) {
    try {
      const { up, down } = await count();
      if (turn !== this.#turn) return;
      const known = this.#numbers();
      const differs = !this.told && (up !== known.up || down !== known.down);
      if (differs && this.#differed) this.#acts.differs();
      else this.#later();
      this.#differed = differs;
    } catch (problem) {
      if (turn === this.#turn) this.#acts.failed(problem);
    }
  }
}
