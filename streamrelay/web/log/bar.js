// The bar above a log: how its lines are shown, and the fields by which some are found.

import { element, toggle } from './controls.js';

export class Bar {
  follow;
  times;
  wrap;
  raw;
  fold;
  find;
  element;

  #filter;

  /** `pressed` has for each button what is done as it is pressed or released. */
  constructor(filter, pressed) {
    this.follow = toggle('Follow', 'Keep the newest line in sight', pressed.follow);
    this.times = toggle('Times', 'Show when each line came here', pressed.times);
    this.wrap = toggle('Wrap', 'Wrap long lines', pressed.wrap);
    this.raw = toggle('Raw', 'Show all that came, also what was written over', pressed.raw);
    this.fold = toggle('Fold', 'Fold stack traces with their line', pressed.fold);
    this.find = toggle('Find', 'Search, filter and level', (on) => this.#finding(on));
    this.find.classList.add('find');
    this.#filter = filter;
    this.fold.setAttribute('aria-pressed', 'true');
    this.follow.setAttribute('aria-pressed', 'true');
    this.element = element(
      'div',
      { class: 'bar', role: 'toolbar', 'aria-label': 'Log' },
      this.find,
      this.follow,
      this.times,
      this.wrap,
      this.fold,
      this.raw,
      filter.search.element,
      filter.filter.element,
    );
  }

  /** On a narrow screen the fields are there only when they are wanted; what they hold back is told. */
  #finding(on) {
    this.element.classList.toggle('finding', on);
    this.find.textContent = !on && this.#filter.holds ? 'Find ●' : 'Find';
  }
}
