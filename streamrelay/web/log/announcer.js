// What is said of a log to those who can't see it, not too often: a few new lines themselves, of more their number.

import { several } from './several.js';

const EVERY = 5000; // ms between two words
const FEW = 3; // lines that are read out

export class Announcer {
  /** Read by screen readers, and seen by nobody. */
  element = document.createElement('div');

  #lines;
  #shown;
  #wanted; // () => whether somebody wants to hear of new lines now
  #said = 0; // the lines before this one have been told of
  #timer = 0;

  constructor(lines, shown, wanted) {
    this.#lines = lines;
    this.#shown = shown;
    this.#wanted = wanted;
    this.element.className = 'unseen';
    this.element.setAttribute('role', 'status');
  }

  /** There are more lines. */
  update() {
    this.#timer ||= setTimeout(() => this.#news(), EVERY);
  }

  /** One line, now. */
  line(number) {
    this.element.textContent = this.#text(number);
  }

  #news() {
    this.#timer = 0;
    const { first, whole } = this.#lines;
    const fresh = whole - Math.max(this.#said, first);
    this.#said = whole;
    if (!fresh || !this.#wanted()) return;
    const few = Array.from({ length: Math.min(fresh, FEW) }, (_, at) => this.#text(whole - fresh + at));
    this.element.textContent = fresh <= FEW ? few.join('\n') : several(fresh, 'new line');
  }

  #text(number) {
    const { name } = this.#lines.of(number);
    return `${name && `${name}: `}${this.#shown.plain(number).slice(0, 300)}`;
  }
}
