// A list of any length in which only those rows exist that can be seen, that with the focus, and forms. Rows may be of any
// height: it is guessed until a row has been there, and what is in sight stays where it is as others turn out to differ.
// (The browsers' bound for an element's height is at some 400,000 rows.)
// (Lines of a log have a list of their own, log/viewport.js: those are numbers, follow their end, and are never in focus.)

import { keepInStep } from './dom.js';

const AHEAD = 500; // pixels beyond the edge
const GUESS = 36; // pixels, until the first row of its kind is there
const TRIES = 4; // to have heights fit what is in sight, as other rows come into it
const MOST = 5000; // heights that are remembered

export class Virtual {
  rows = []; // { id, kind, … }

  #scroller;
  #list;
  #make;
  #shown = new Map(); // what is there, by id
  #usual = new Map(); // the height of most rows of a kind
  #heights = new Map(); // of rows that differ, by id
  #tops = new Float64Array(1); // of each row, and the end
  #anchor = { at: 0, above: 0 }; // the first row in sight, and so many pixels of it that aren't
  #current = -1; // the row that has the focus, or had it
  #width = 0;

  /** `make(row)` gives `{ element, update(row) }`. */
  constructor(scroller, list, make) {
    this.#scroller = scroller;
    this.#list = list;
    this.#make = make;
    scroller.addEventListener('scroll', () => this.#draw(), { passive: true });
    new ResizeObserver(() => requestAnimationFrame(() => this.#resized())).observe(scroller);
  }

  /** The row that takes the focus when it comes to the list; -1 if there is none. */
  get current() {
    return this.#current < 0 && this.rows.length ? 0 : this.#current;
  }

  /** The row of an element in it; undefined if it is in none. */
  at(element) {
    return this.#shown.get(element.closest('[data-row]')?.dataset.row)?.row;
  }

  /** Show these rows; from the top, or so that what is in sight stays there, at the top too if it is `held`. */
  show(rows, { fromTop = false, held = false } = {}) {
    const focus = this.#list.contains(document.activeElement);
    const stays = !fromTop && (held || this.#scroller.scrollTop >= 1) && this.rows.length > 0;
    this.#look(); // who has scrolled since the last frame is heard only with the next
    this.#anchor = stays ? this.#find(rows) : { at: 0, above: 0 };
    const before = this.#current;
    const had = this.rows[before]?.id;
    this.#current = had === undefined ? -1 : rows.findIndex(({ id }) => id === had);
    this.rows = rows;
    if (this.#heights.size > MOST) this.#heights.clear();
    for (const one of this.#shown.values()) one.old = true;
    this.#measureAll();
    this.#place();
    if (!focus || this.#list.contains(document.activeElement)) return;
    // What had it has gone, or was moved.
    if (rows.length) this.focus(this.#current < 0 ? Math.min(Math.max(before, 0), rows.length - 1) : this.#current);
    else this.#scroller.closest('[tabindex]').focus();
  }

  /** The focus to a row, which comes into sight. */
  focus(at) {
    if (!this.rows[at]) return;
    this.#current = at;
    this.reveal(at);
    this.#shown.get(this.rows[at].id)?.element.focus({ preventScroll: true });
  }

  /** The row has got the focus otherwise; a form is its target's. */
  focused({ kind, id, of }) {
    const owner = kind === 'form' ? of : id;
    this.#current = this.rows.findIndex((row) => row.id === owner);
    this.#draw();
  }

  /** The element of a row that is there. */
  element(id) {
    return this.#shown.get(id)?.element;
  }

  /** As many rows as are in sight at once. */
  get page() {
    const { scrollTop, clientHeight } = this.#scroller;
    return Math.max(1, this.#rowAt(scrollTop + clientHeight) - this.#rowAt(scrollTop) - 1);
  }

  /** Where the first row in sight is among others, or the next one that is there, too. */
  #find(rows) {
    const { at, above } = this.#anchor;
    const places = new Map(rows.map(({ id }, place) => [id, place]));
    for (let next = at; next < this.rows.length; next += 1) {
      const there = places.get(this.rows[next].id);
      if (there !== undefined) return { at: there, above: next === at ? above : 0 };
    }
    return { at: rows.length - 1, above: 0 };
  }

  /** Scroll, if need be, so that a row is in sight. */
  reveal(at) {
    if (!this.rows[at]) return;
    for (let tries = 0; tries < TRIES; tries += 1) {
      const { scrollTop, clientHeight } = this.#scroller;
      const [top, end] = [this.#tops[at], this.#tops[at + 1]];
      if (top < scrollTop) this.#scroller.scrollTop = top;
      else if (end > scrollTop + clientHeight) this.#scroller.scrollTop = end - clientHeight;
      else if (tries) return;
      this.#draw();
    }
  }

  #resized() {
    const { clientWidth, clientHeight } = this.#scroller;
    if (!clientHeight) return; // it isn't shown at all
    if (clientWidth !== this.#width) {
      this.#width = clientWidth;
      this.#look();
      this.#heights.clear();
      this.#usual.clear();
      this.#measureAll();
      this.#place();
    } else {
      this.#draw();
    }
  }

  #heightOf({ id, kind }) {
    return this.#heights.get(id) ?? this.#usual.get(kind) ?? GUESS;
  }

  /** Where each row begins, as far as heights are known. */
  #measureAll() {
    const { rows } = this;
    const tops = new Float64Array(rows.length + 1);
    let usual = 0;
    for (let at = 0, kind = ''; at < rows.length; at += 1) {
      if (rows[at].kind !== kind) {
        kind = rows[at].kind;
        usual = this.#usual.get(kind) ?? GUESS;
      }
      tops[at + 1] = tops[at] + ((this.#heights.size && this.#heights.get(rows[at].id)) || usual);
    }
    this.#tops = tops;
  }

  /** The row at a height. */
  #rowAt(height) {
    let [low, high] = [0, this.rows.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= height) low = middle;
      else high = middle - 1;
    }
    return Math.max(0, low);
  }

  /** The anchor is what is in sight now. */
  #look() {
    const { scrollTop } = this.#scroller;
    const at = this.#rowAt(scrollTop);
    this.#anchor = { at, above: scrollTop - (this.#tops[at] ?? 0) };
  }

  /** Draw with the anchor where it was. */
  #place() {
    this.#list.style.height = `${this.#tops[this.rows.length]}px`;
    const { at, above } = this.#anchor;
    const top = (this.#tops[at] ?? 0) + above;
    this.#scrollTo(top);
    this.#draw();
  }

  /** Not if it is there: that would end a scroll that goes on by itself. */
  #scrollTo(top) {
    if (Math.abs(this.#scroller.scrollTop - top) >= 1) this.#scroller.scrollTop = top;
  }

  #draw() {
    for (let tries = 0; tries < TRIES; tries += 1) {
      this.#look();
      this.#fill();
      if (!this.#measure()) return;
      this.#measureAll();
      this.#list.style.height = `${this.#tops[this.rows.length]}px`;
      this.#scrollTo(this.#tops[this.#anchor.at] + this.#anchor.above);
    }
    this.#fill();
  }

  /** Have those elements that are needed, and put them where they belong. */
  #fill() {
    const { scrollTop, clientHeight } = this.#scroller;
    const first = this.#rowAt(scrollTop - AHEAD);
    const last = this.#rowAt(scrollTop + clientHeight + AHEAD);
    const wanted = new Set([this.current, ...this.#forms()].filter((at) => at >= 0 && (at < first || at > last)));
    for (let at = first; at <= last && at < this.rows.length; at += 1) wanted.add(at);
    const places = [...wanted].sort((one, other) => one - other);
    keepInStep(
      this.#list,
      this.#shown,
      places.map((at) => this.rows[at]),
      ({ id }) => id,
      (row) => this.#build(row),
    );
    for (const at of places) {
      const { element } = this.#shown.get(this.rows[at].id);
      element.style.top = `${this.#tops[at]}px`;
      element.tabIndex = at === this.current ? 0 : -1;
    }
  }

  #forms() {
    const ids = [...this.#shown.keys()].filter((id) => id.endsWith('//form'));
    return ids.map((id) => this.rows.findIndex((row) => row.id === id));
  }

  /** An element that is updated only if its row may be another. */
  #build(row) {
    const { element, update } = this.#make(row);
    element.dataset.row = row.id;
    const one = { element, row, old: true, update: (_row) => {} };
    one.update = (now) => {
      one.row = now;
      if (one.old) update(now);
      one.old = false;
    };
    return one;
  }

  /** Look how high those are that are there; whether any is other than was thought. Most have the least height of their
      kind, as most names fit into one line. */
  #measure() {
    let differs = false;
    for (const [id, { element, row }] of this.#shown) {
      const height = heightOf(element);
      const usual = this.#usual.get(row.kind) ?? Infinity;
      if (!height || Math.abs(this.#heightOf(row) - height) < 0.1) continue; // it isn't shown at all, or as it was
      if (height < usual) this.#usual.set(row.kind, height);
      if (height <= usual) this.#heights.delete(id);
      else this.#heights.set(id, height);
      differs = true;
    }
    return differs;
  }
}

/** With its margin above. */
function heightOf(element) {
  const { height } = element.getBoundingClientRect();
  return height && height + parseFloat(getComputedStyle(element).marginTop);
}
