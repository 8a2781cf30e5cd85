// Searching and filtering: two fields, and which lines they find and let through.

import { button, Field, several, toggle } from './controls.js';
import { Matches, pattern, tester } from './matches.js';

export class Filter {
  /** What is searched for, to be highlighted; and the line that was found last, or -1. */
  highlight = null;
  current = -1;
  search;
  filter;

  #lines;
  #shown;
  #changed; // told when other lines are let through, or others are to be highlighted
  #more; // told when more lines are let through
  #found = null; // matches of what is searched, among those that are let through
  #through = null; // what is let through; null for all
  #wanted = null; // `expression` and whether it is `inverse`, as typed
  #steps; // the buttons
  #all;

  constructor(lines, shown, { changed, more, step }) {
    this.#lines = lines;
    this.#shown = shown;
    this.#changed = changed;
    this.#more = more;
    this.#all = {
      get count() {
        return lines.count;
      },
      at: (row) => lines.first + row,
      rank: (number) => Math.max(0, number - lines.first),
    };
    this.#steps = [button('↑', 'The match before', () => step(-1)), button('↓', 'The next match', () => step(1))];
    this.search = this.#field('Search', [], this.#steps);
    this.filter = this.#field('Filter', [['Not', 'lines that do not match', 'not']], []);
    for (const each of this.#steps) each.disabled = true;
    this.search.input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') step(event.shiftKey ? -1 : 1);
    });
  }

  /** The lines that are let through, as a viewport knows rows. */
  get rows() {
    const through = this.#through;
    if (!through) return this.#all;
    const lines = this.#lines;
    const rest = () => (lines.end > lines.whole && through.fits(lines.whole) ? 1 : 0);
    return {
      get count() {
        return through.count + rest();
      },
      at: (row) => (row < through.count ? through.at(row) : lines.whole),
      rank: (number) => through.rank(number),
    };
  }

  /** There are more lines, or less, or some that were there have changed. */
  update() {
    if (!this.#through && this.#sifts) this.#sift();
    const touched = this.#lines.redrawn.takeTouched();
    this.#through?.back(touched);
    this.#found?.back(touched);
    this.#through?.update();
    this.#found?.update();
  }

  /** What is typed has changed, or all lines are gone: look through all of them anew. */
  renew() {
    const filter = this.#pattern(this.filter);
    this.#wanted = filter && { expression: filter, inverse: this.filter.pressed('not') };
    this.#through?.stop();
    this.#through = this.#sifts ? this.#matches(null, () => this.#filtered()) : null;
    this.highlight = this.#pattern(this.search);
    this.current = -1;
    this.#found?.stop();
    this.#found = this.highlight && this.#matches(this.highlight, () => this.#say());
    this.#changed();
    this.update();
    this.#say();
  }

  /** Whether lines are left out: by what is typed, or as they have no row. */
  get #sifts() {
    return this.#wanted !== null || (this.#lines.overs && !this.#shown.raw);
  }

  #sift() {
    this.#through = this.#matches(null, () => this.#filtered());
    this.#changed();
  }

  #matches(searched, changed) {
    return new Matches(this.#lines, tester(this.#lines, this.#shown, searched, this.#wanted), changed);
  }

  /** To the next match (1) or the one before (-1) of `current`, or of the lines in sight; around the ends. */
  step(direction, top, bottom) {
    this.search.hurry();
    const found = this.#found;
    if (!found?.count) return false;
    const from = this.current >= this.#lines.first ? this.current : null;
    let at = found.rank(from ?? (direction > 0 ? top : bottom + 1));
    if (direction < 0) at -= 1;
    else if (from !== null && at < found.count && found.at(at) === from) at += 1;
    this.current = found.at((at + found.count) % found.count);
    this.#say();
    return true;
  }

  #field(name, toggles, more) {
    const changed = () => this.renew();
    const all = [
      ['Aa', 'upper and lower case differ', 'exact'],
      ['.*', 'a regular expression', 'expression'],
      ...toggles,
    ];
    const made = all.map(([label, title, key]) => [key, toggle(label, `${name}: ${title}`, changed)]);
    return new Field(name, changed, Object.fromEntries(made), more);
  }

  #pattern(field) {
    field.say('');
    try {
      return pattern({ text: field.text, exact: field.pressed('exact'), expression: field.pressed('expression') });
    } catch {
      field.say('Not a regular expression', true);
      return null;
    }
  }

  #filtered() {
    const { count, done } = this.#through;
    this.filter.say(`${several(count, 'line')}${done ? '' : ' …'}`);
    this.#more();
  }

  #say() {
    for (const each of this.#steps) each.disabled = !this.#found?.count;
    if (!this.#found) return;
    const { count, done } = this.#found;
    const number = (value) => value.toLocaleString('en');
    const where = this.current >= 0 && count ? `${number(this.#found.rank(this.current) + 1)} of ` : '';
    this.search.say(count || !done ? `${where}${number(count)}${done ? '' : ' …'}` : 'None');
  }
}
