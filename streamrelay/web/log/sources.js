// The sources of a log, by name, and the bar that shows several of them: each in its colour, with how it stands.

import { sourceClass } from './colors.js';
import { element, toggle } from './controls.js';
import { several } from './several.js';
import { Source } from './source.js';

export class Sources {
  /** The bar, of the sources that have a name; hidden if there is none. */
  element = element('div', { class: 'sources', role: 'group', 'aria-label': 'Sources', hidden: true });

  #lines;
  #hide;
  #changed;
  #told;
  #ended;
  #all = new Map(); // by the name with which each began: { source, part }, the latter of the bar
  #opened = new Map(); // by name: URLs

  /**
   * Told: `changed()` of new lines, `named(width)` of other names and the longest one's letters, `only(words)` how one without
   * a name stands, `ended(outcome)` with its name in `source`; and `hide(place, hidden)` of what is pressed.
   */
  constructor(lines, { changed, named, only, ended, hide }) {
    this.#lines = lines;
    this.#changed = changed;
    this.#told = { named, only };
    this.#ended = ended;
    this.#hide = hide;
  }

  /** A source; made when it is first asked for. */
  get(name) {
    const there = this.#all.get(name);
    if (there) return there.source;
    const source = new Source(this.#lines.writer(), {
      changed: this.#changed,
      told: () => this.#tell(name),
      ended: (outcome) => this.#ended(source.name ? { ...outcome, source: source.name } : outcome),
    });
    this.#all.set(name, { source, part: null });
    source.name = name;
    return source;
  }

  get all() {
    return [...this.#all.values()].map(({ source }) => source);
  }

  /** Open those of a list `[{ name, src }]` that aren't open by that URL; what was in the list before is left. */
  open(list) {
    const wanted = new Map(list.map(({ name, src }) => [String(name), String(src)]));
    for (const name of this.#opened.keys()) if (!wanted.has(name)) this.remove(name);
    for (const [name, src] of wanted) if (this.#opened.get(name) !== src) void this.get(name).open(src);
    this.#opened = wanted;
  }

  /** Leave all streams of URLs. */
  leave() {
    this.#opened = new Map();
    for (const source of this.all) source.leave();
  }

  /** Leave a source for good; its lines stay. */
  remove(name) {
    const { source, part } = this.#all.get(name) ?? {};
    if (!source) return;
    this.#all.delete(name);
    source.leave();
    source.close();
    this.#hide(source.number, false);
    this.#drop(part);
  }

  /** Other lines are kept than before. */
  update() {
    for (const { source, part } of this.#all.values()) part?.count(source);
  }

  #tell(name) {
    const one = this.#all.get(name);
    if (!one) return; // it was left
    const { source, part } = one;
    if (source.name) {
      one.part ??= this.#part(source);
      if (one.part.show(source)) this.#told.named(this.#width());
      return;
    }
    one.part = null;
    if (this.#drop(part)) this.#told.named(this.#width());
    this.#told.only(source.words);
  }

  /** Whether there was this part. */
  #drop(part) {
    part?.element.remove();
    this.element.hidden = !this.element.childElementCount;
    return Boolean(part);
  }

  /** Of the longest name, in letters. */
  #width() {
    return Math.max(...this.all.map(({ name }) => name.length));
  }

  #part(source) {
    const label = element('span', { class: sourceClass(source.number) });
    const shown = toggle(label, 'Show its lines', (on) => this.#hide(source.number, !on));
    shown.setAttribute('aria-pressed', 'true');
    shown.removeAttribute('aria-label'); // the name is
    const words = element('span', { class: 'told', role: 'status' });
    const lost = element('span', { class: 'told' });
    const whole = element('span', { class: 'one' }, shown, words, lost);
    this.element.append(whole);
    this.element.hidden = false;
    return {
      element: whole,
      /** Whether it has another name. */
      show: ({ name, words: said }) => {
        words.textContent = words.title = said;
        if (label.textContent === name) return false;
        label.textContent = name;
        return true;
      },
      count: ({ count, dropped }) => {
        lost.textContent = dropped ? `${count ? 'the oldest ' : 'all of its '}${several(dropped, 'line')} dropped` : '';
      },
    };
  }
}
