// The line below a log, with the stream's words and how many lines are kept, and the button to the newest one.

import { element } from './controls.js';
import { several } from './several.js';

const EVERY = 250; // ms between two changes of what is said of the lines

export class Status {
  words = element('span', { class: 'words', role: 'status' });
  kept = element('span', { class: 'kept' });
  newest;

  #lines;
  #following; // () => whether the newest line is kept in sight
  #shown; // () => void
  #told = ''; // of the stream
  #pausedAt = 0; // the number of lines when following stopped
  #timer = 0;

  /** `shown()` is told each time that it says of the lines what is so by then. */
  constructor(lines, { following, toNewest, shown }) {
    this.#lines = lines;
    this.#shown = shown;
    this.#following = following;
    this.newest = element('button', { class: 'newest', type: 'button', hidden: true, onclick: toNewest });
  }

  /** All of it, with buttons behind. */
  bar(...buttons) {
    return element('div', { class: 'state' }, this.words, this.kept, ...buttons);
  }

  /** Words about the stream, or about what somebody did; they stay until there are others. */
  tell(words) {
    this.#told = words;
    this.show();
  }

  /** There are more lines. */
  update() {
    this.#timer ||= setTimeout(() => this.show(), EVERY);
  }

  /** Lines from here on are new ones. */
  pause() {
    this.#pausedAt = this.#lines.end;
  }

  show() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    const lines = this.#lines;
    const following = this.#following();
    this.words.textContent = this.#told || (following ? '' : 'Paused');
    const dropped = lines.dropped ? `, the oldest ${lines.dropped.toLocaleString('en')} dropped` : '';
    this.kept.textContent = `${several(lines.count, 'line')}${dropped}`;
    const fresh = lines.end - this.#pausedAt;
    this.newest.hidden = following;
    this.#shown();
    this.newest.textContent = fresh > 0 ? `↓ ${several(fresh, 'new line')}` : '↓ Newest';
  }
}
