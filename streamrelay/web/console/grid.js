// Rows of a grid (ARIA's) by pointer and by keys, drawn by virtual.js: the focus goes from row to row.

import { Virtual } from './virtual.js';

export class Grid {
  #list;
  #acts;
  #virtual;

  /** `acts` are `make(row)` for `Virtual`; `act(row)`, what a row's button and Delete do; `search()` leads to the filter;
      `clear()`, whether it cleared that. */
  constructor(scroller, list, acts) {
    this.#list = list;
    this.#acts = acts;
    this.#virtual = new Virtual(scroller, list, acts.make);
    list.addEventListener('click', ({ target }) => {
      const row = this.#virtual.at(target);
      if (row && target.closest('button')) acts.act(row);
    });
    list.addEventListener('keydown', (event) => this.#key(event));
    list.addEventListener('focusin', ({ target }) => {
      const row = this.#virtual.at(target);
      if (row) this.#virtual.focused(row);
    });
  }

  show(rows, how) {
    this.#virtual.show(rows, how);
  }

  /** Whether somebody is at it. */
  get isInUse() {
    return this.#list.matches(':hover') || this.#list.contains(document.activeElement);
  }

  /** The focus to the first row, or to that which had it last. */
  enter() {
    this.#virtual.focus(this.#virtual.current);
  }

  /** The focus to a row by its name, if it is there yet. */
  focus(id) {
    const place = this.#virtual.rows.findIndex((row) => row.id === id);
    if (place >= 0) this.#virtual.focus(place);
    else if (this.#virtual.rows.length) this.enter();
    else this.#acts.search();
  }

  #key(event) {
    const { key, target } = event;
    const row = this.#virtual.at(target);
    if (!row || event.ctrlKey || event.altKey || event.metaKey || target.closest('button')) return;
    const { rows, page } = this.#virtual;
    const now = rows.indexOf(row);
    const to = {
      ArrowDown: now + 1,
      ArrowUp: now - 1,
      PageDown: Math.min(rows.length - 1, now + page),
      PageUp: Math.max(0, now - page),
      Home: 0,
      End: rows.length - 1,
    }[key];
    if (to !== undefined && to < 0) this.#acts.search();
    else if (to !== undefined) this.#virtual.focus(to);
    else if (key === 'Delete') this.#acts.act(row);
    else if (key === '/') this.#acts.search();
    else if (key !== 'Escape' || !this.#acts.clear()) return;
    event.preventDefault();
    event.stopPropagation();
  }
}
