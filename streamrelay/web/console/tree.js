// The list of hosts by pointer and by keys: a tree (ARIA's), whose rows are drawn by virtual.js.

import { Virtual } from './virtual.js';

export class Tree {
  #list;
  #acts;
  #virtual;

  /** `acts` are `make(row)` for `Virtual`; `press(row)`, which opens a target, or opens or closes another row;
      `open(row, wanted)`; `pin(row)`; `search()`, which leads to the filter; `clear()`, whether it cleared
      that; `point(row)`, once somebody points at it. */
  constructor(scroller, list, acts) {
    this.#list = list;
    this.#acts = acts;
    this.#virtual = new Virtual(scroller, list, acts.make);
    list.addEventListener('click', (event) => this.#click(event));
    list.addEventListener('keydown', (event) => this.#key(event));
    list.addEventListener('pointerover', ({ target }) => this.#point(target));
    list.addEventListener('focusin', ({ target }) => {
      const row = this.#virtual.at(target);
      if (row) this.#virtual.focused(row);
      this.#point(target);
    });
  }

  show(rows, how) {
    this.#virtual.show(rows, how);
  }

  get rows() {
    return this.#virtual.rows;
  }

  /** Whether somebody is at it. */
  get isInUse() {
    return this.#list.matches(':hover') || this.#list.contains(document.activeElement);
  }

  /** The focus to the first row, or to that which had it last. */
  enter({ first = false } = {}) {
    this.#virtual.focus(first ? 0 : this.#virtual.current);
  }

  /** The focus to a row's first field, once it is there. */
  field(id) {
    const place = this.rows.findIndex((row) => row.id === id);
    this.#virtual.reveal(place);
    this.#virtual.element(id)?.querySelector('input')?.focus({ preventScroll: true });
  }

  /** The focus to a row by its name. */
  focus(id) {
    this.#virtual.focus(this.rows.findIndex((row) => row.id === id));
  }

  #click({ target }) {
    const row = this.#virtual.at(target);
    if (!row || target.closest('.parts')) return;
    if (target.closest('.pin')) this.#acts.pin(row);
    else this.#acts.press(row);
  }

  #point(target) {
    const row = this.#virtual.at(target);
    if (row) this.#acts.point(row);
  }

  #key(event) {
    const { key, target } = event;
    const row = this.#virtual.at(target);
    if (!row || event.ctrlKey || event.altKey || event.metaKey) return;
    if (row.kind === 'form') {
      if (key !== 'Escape') return;
      const owner = this.rows.find(({ id }) => id === row.of);
      this.focus(row.of);
      this.#acts.open(owner, false);
    } else if (!this.#move(key, row) && !this.#act(key, row)) {
      return;
    }
    event.preventDefault();
    event.stopPropagation(); // the drawer's Escape is another
  }

  /** Whether the key leads to another row. */
  #move(key, row) {
    const { rows, page } = this.#virtual;
    const now = rows.indexOf(row);
    const to = {
      ArrowDown: () => now + 1,
      ArrowUp: () => now - 1,
      PageDown: () => Math.min(rows.length - 1, now + page),
      PageUp: () => Math.max(0, now - page),
      Home: () => 0,
      End: () => rows.length - 1,
    }[key];
    if (!to) return false;
    let place = to();
    const by = place < now ? -1 : 1;
    while (rows[place]?.kind === 'form') place += by; // Tab leads into it
    if (key === 'ArrowUp' && place < 0) this.#acts.search();
    else this.#virtual.focus(place);
    return true;
  }

  /** Whether the key does something with a row. */
  #act(key, row) {
    const acts = {
      Enter: () => this.#acts.press(row),
      ' ': () => this.#acts.press(row),
      ArrowRight: () => this.#right(row),
      ArrowLeft: () => this.#left(row),
      '/': () => this.#acts.search(),
      p: () => this.#acts.pin(row),
    };
    if (!Object.hasOwn(acts, key)) return key === 'Escape' && this.#acts.clear();
    acts[key]();
    return true;
  }

  /** Open it; into what is open. */
  #right(row) {
    if (row.open === false) this.#acts.open(row, true);
    else if (row.open && row.kind !== 'target') this.#virtual.focus(this.rows.indexOf(row) + 1);
  }

  /** Close it; out of what is closed. */
  #left(row) {
    if (row.open) this.#acts.open(row, false);
    else {
      const place = this.rows.indexOf(row);
      const above = this.rows.slice(0, place).findLastIndex(({ level }) => level < row.level);
      if (above >= 0) this.#virtual.focus(above);
    }
  }
}
