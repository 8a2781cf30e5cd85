// Searching and filtering: two fields, and which lines they find and let through.

import { button, element, Field, toggle } from './controls.js';
import { LEVELS } from './levels.js';
import { Matches, pattern } from './matches.js';
import { several } from './several.js';
import { Sieve } from './sieve.js';

const CHOICES = [
  ['', 'All levels'],
  ['debug', 'Debug'],
  ['info', 'Info'],
  ['warn', 'Warnings'],
  ['error', 'Errors'],
];

export class Filter {
  /** What is searched for, to be highlighted; and the line that was found last, or -1. */
  highlight = null;
  current = -1;
  search;
  filter;
  level; // a list to choose from

  #lines;
  #sieve;
  #changed; // told when other lines are let through, or others are to be highlighted
  #more; // told when more lines are let through
  #found = null; // matches of what is searched, among those that are let through
  #through = null; // what is let through; null for all
  #steps; // the buttons
  #all;

  constructor(lines, shown, { changed, more, step }) {
    this.#lines = lines;
    this.#sieve = new Sieve(lines, shown);
    this.#changed = changed;
    this.#more = more;
    this.#all = {
      get count() {
        return lines.count;
      },
      at: (row) => lines.first + row,
      rank: (number) => Math.max(0, number - lines.first),
    };
    this.level = element(
      'select',
      { 'aria-label': 'Level', title: 'Show lines of this level and graver ones', onchange: () => this.renew() },
      ...CHOICES.map(([value, name]) => element('option', { value }, name)),
    );
    this.#steps = [button('↑', 'The match before', () => step(-1)), button('↓', 'The next match', () => step(1))];
    this.search = this.#field('Search', [], this.#steps);
    this.filter = this.#field('Filter', [['Not', 'lines that do not match', 'not']], [this.level]);
    for (const each of this.#steps) each.disabled = true;
    this.search.input.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') step(event.shiftKey ? -1 : 1);
    });
  }

  /** The lines that are let through, as a viewport knows rows. */
  get rows() {
    const through = this.#through;
    if (!through) return this.#all;
    const { whole } = this.#lines;
    const rests = () => this.#rests(through);
    return {
      get count() {
        return through.count + rests().length;
      },
      at: (row) => (row < through.count ? through.at(row) : (rests()[row - through.count] ?? whole)),
      rank: (number) => through.rank(number) + rests().filter((each) => each < number).length,
    };
  }

  /** Numbers of the lines that are let through, also of those that are folded. */
  get numbers() {
    return this.#sieve.withFolded(this.rows);
  }

  /** There are more lines, or less, or some that were there have changed. */
  update() {
    if (!this.#through && this.#sieve.holds) this.#sift();
    const touched = this.#lines.takeTouched();
    this.#through?.back(touched);
    this.#found?.back(touched);
    this.#through?.update();
    this.#found?.update();
  }

  /** What is typed has changed, or all lines are gone: look through all of them anew. */
  renew() {
    const sieve = this.#sieve;
    sieve.expression = this.#pattern(this.filter);
    sieve.inverse = this.filter.pressed('not');
    sieve.level = LEVELS.indexOf(this.level.value);
    this.#through?.stop();
    this.#through = sieve.holds ? this.#held() : null;
    this.highlight = this.#pattern(this.search);
    this.current = -1;
    this.#found?.stop();
    const searched = this.highlight;
    const finds = (number) => sieve.finds(number, searched);
    this.#found = searched && new Matches(this.#lines, finds, () => this.#say());
    this.#changed();
    this.update();
    this.#say();
  }

  /** Whether something is typed or chosen that holds lines back. */
  get holds() {
    return !this.#sieve.idle;
  }

  /** Of the levels that are shown; '' for all. */
  set lowest(name) {
    this.level.value = name;
    this.renew();
  }

  raw(raw) {
    this.#sieve.shown.raw = raw;
    this.renew();
  }

  /** Show nothing of a source, or show it again. */
  hide(source, hidden) {
    if (hidden) this.#sieve.hidden.add(source);
    else this.#sieve.hidden.delete(source);
    this.renew();
  }

  fold(folding) {
    this.#sieve.folding = folding;
    this.renew();
  }

  /** Whether the trace behind a line is not folded. */
  isOpen(number) {
    return this.#sieve.isOpen(number);
  }

  /** Unfold the trace behind a line, or fold it. */
  toggle(number) {
    this.#sieve.toggle(number);
    this.#through?.again(number, (this.#lines.followers(number).at(-1) ?? number) + 1);
    this.#more();
  }

  /** Lines without their end that are let through. */
  #rests(through) {
    const { whole, end } = this.#lines;
    return Array.from({ length: end - whole }, (_, at) => whole + at).filter((number) => through.fits(number));
  }

  #sift() {
    this.#through = this.#held();
    this.#changed();
  }

  #held() {
    return new Matches(
      this.#lines,
      (number) => this.#sieve.through(number),
      () => this.#filtered(),
    );
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
    if (!this.#sieve.through(this.current)) this.toggle(this.current - this.#lines.behind(this.current));
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
    if (!this.#sieve.idle) this.filter.say(`${several(count, 'line')}${done ? '' : ' …'}`);
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
