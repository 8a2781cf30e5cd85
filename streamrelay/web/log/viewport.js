// A list of any length in which only those rows exist that can be seen.
//
// What stands at the top is an anchor: a line's number, and how many pixels of it are above. A browser bears no element
// of 20 million pixels, and rows that wrap have heights that nobody knows before they are there. So beyond `TALLEST`,
// and with wrapped rows, the scroll bar says about where we are: small moves of it move the anchor by as many pixels,
// large ones by their part of the whole, and at rest it is put where it belongs.

import { Elements } from './elements.js';

const TALLEST = 8_000_000; // pixels
const REST = 150; // ms without a move
const AHEAD = 5; // rows beyond the edge
const AT_ONCE = 32; // rows that are measured at once

export class Viewport extends EventTarget {
  /** Whether the newest row is kept in sight. A "follow" event tells that it has changed. */
  following = true;

  #scroller;
  #spacer = document.createElement('div');
  #layer = document.createElement('div'); // stays in sight, and cuts off what is above and below
  #list = document.createElement('div');
  #source;
  #elements;
  #wrap = false;
  #rowHeight = 0;
  #width = 0; // of the widest row so far
  #wrappedAt = 0; // the width for which heights were measured
  #anchor = { number: 0, above: 0 };
  #bottom = 0;
  #scrollTop = 0; // where we know the scroll bar to be
  #rest = 0;
  #held = false; // paused at the newest row: it is not a reason to follow until somebody has scrolled
  #frame = 0;

  /**
   * `rows.make(number)` gives a row's element; it is made anew when its `rows.stamp(number)` has changed, unless it is
   * `rows.held(element)`. For `source` see below.
   */
  constructor(scroller, source, rows) {
    super();
    this.#scroller = scroller;
    this.#source = source;
    this.#elements = new Elements(this.#list, rows);
    this.#spacer.className = 'spacer';
    this.#spacer.setAttribute('role', 'presentation');
    this.#layer.className = 'layer';
    this.#list.className = 'list';
    this.#list.setAttribute('role', 'list');
    this.#layer.append(this.#list);
    this.#spacer.append(this.#layer);
    scroller.append(this.#spacer);
    scroller.addEventListener('scroll', () => this.#scrolled());
    scroller.addEventListener('wheel', ({ deltaY }) => this.#wheeled(deltaY), { passive: true });
    new ResizeObserver(() => this.#resized()).observe(scroller);
  }

  /** Which rows there are: `count`, `at(row)` is a row's number, `rank(number)` the row of a number or the next one. */
  set source(source) {
    this.#source = source;
    this.refresh();
  }

  wrapped(wrap) {
    this.#wrap = wrap;
    this.#scroller.classList.toggle('wrap', wrap);
    this.refresh();
  }

  /** The first row in sight, and the last, by their numbers. */
  get top() {
    return this.#anchor.number;
  }

  get bottom() {
    return this.#bottom;
  }

  /** Rows may look other than before. */
  refresh() {
    this.#elements.clear();
    this.#rowHeight = this.#width = 0;
    this.#spacer.style.minWidth = '';
    this.update();
  }

  /** There are other rows than before: they are drawn with the next frame. */
  update() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** To the newest row, and stay there. */
  toEnd() {
    this.#held = false;
    this.#follow(true);
    this.update();
  }

  /** Stay here. */
  pause() {
    this.#held = true;
    this.#follow(false);
  }

  toStart() {
    this.#follow(false);
    this.#anchor = { number: this.#source.at(0), above: 0 };
    this.#restLater();
    this.update();
  }

  /** Show this line, a third from the top. */
  show(number) {
    this.pause();
    this.#anchor = { number, above: -this.#scroller.clientHeight / 3 };
    this.#restLater();
    this.update();
  }

  // -- scrolling -----------------------------------------------------------------------------------------------

  #follow(following) {
    if (this.following === following) return;
    this.following = following;
    this.dispatchEvent(new Event('follow'));
  }

  /** The frame that comes may be before the move. */
  #wheeled(deltaY) {
    if (deltaY >= 0) return;
    this.#follow(false);
    this.#restLater();
  }

  #resized() {
    this.#rowHeight = 0;
    if (this.#wrap && this.#scroller.clientWidth !== this.#wrappedAt) this.refresh();
    else this.update();
    this.#wrappedAt = this.#scroller.clientWidth;
  }

  #scrolled() {
    const { scrollTop, clientHeight } = this.#scroller;
    if (!clientHeight) return; // hidden since it moved: its place is as it was once it is shown again
    const moved = scrollTop - this.#scrollTop;
    if (Math.abs(moved) < 1) return; // sideways, or our own doing
    this.#scrollTop = scrollTop;
    if (moved < 0) this.#follow(false);
    if (this.following) return;
    this.#held = false;
    if (this.#exact || Math.abs(moved) > 3 * clientHeight) this.#jump(scrollTop);
    else this.#anchor.above += moved;
    this.#restLater();
    this.#draw();
  }

  /** Whether the scroll bar's pixels are those of the rows. */
  get #exact() {
    return !this.#wrap && this.#source.count * this.#rowHeight <= TALLEST;
  }

  get #range() {
    return Math.max(0, this.#height() - this.#scroller.clientHeight);
  }

  #height() {
    return Math.min(TALLEST, this.#source.count * this.#rowHeight);
  }

  #jump(scrollTop) {
    const most = this.#source.count * this.#rowHeight - this.#scroller.clientHeight;
    const pixels = this.#exact ? scrollTop : (scrollTop / (this.#range || 1)) * most;
    const row = Math.max(0, Math.min(this.#source.count - 1, Math.floor(pixels / this.#rowHeight)));
    this.#anchor = { number: this.#source.at(row), above: this.#wrap ? 0 : pixels - row * this.#rowHeight };
  }

  #restLater() {
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => {
      this.#rest = 0;
      this.update();
    }, REST);
  }

  /** Put the scroll bar where a row and the pixels of it that are above belong. */
  #settle(row, above, atEnd) {
    const whole = this.#source.count * this.#rowHeight - this.#scroller.clientHeight;
    const pixels = row * this.#rowHeight + (this.#wrap ? 0 : above);
    const part = whole > 0 ? Math.min(1, pixels / whole) : 0;
    const wanted = atEnd ? this.#range : this.#exact ? pixels : Math.min(part * this.#range, this.#range - 2);
    const stuck = !atEnd && this.#scrollTop > this.#range - 1; // at the end of the bar, not of the rows
    if (!atEnd && !this.#exact && this.#rest && !stuck) return;
    if (Math.abs(wanted - this.#scrollTop) < 1) return;
    this.#scroller.scrollTop = wanted;
    this.#scrollTop = this.#scroller.scrollTop;
  }

  // -- drawing -------------------------------------------------------------------------------------------------

  #draw() {
    const room = this.#scroller.clientHeight;
    if (!room) return; // hidden
    this.#rowHeight ||= this.#elements.usual();
    this.#layer.style.height = `${room}px`;
    const [row, above, atEnd] = this.#top(room);
    const numbers = [];
    const { count } = this.#source;
    let ahead = AHEAD;
    for (let at = row, y = -above; at < count && ahead > 0; at += 1) {
      numbers.push(this.#source.at(at));
      if (y >= room) ahead -= 1;
      else this.#bottom = numbers.at(-1);
      y += this.#heightOf(at, 1);
    }
    this.#elements.place(numbers);
    this.#list.style.transform = `translateY(${-above}px)`;
    this.#spacer.style.height = `${this.#height()}px`;
    this.#anchor = { number: numbers[0] ?? 0, above };
    if (atEnd && !this.#rest && !this.#held) this.#follow(true);
    this.#settle(row, above, atEnd);
    this.#widen();
  }

  /** The first row in sight, the pixels of it that are above, and whether the newest row is in sight. */
  #top(room) {
    const { count } = this.#source;
    if (!this.following && count) {
      let row = Math.min(count - 1, this.#source.rank(this.#anchor.number));
      let { above } = this.#anchor;
      while (above < 0 && row > 0) above += this.#heightOf(--row, -1);
      above = Math.max(0, above);
      while (row < count - 1 && above >= this.#heightOf(row, 1)) above -= this.#heightOf(row++, 1);
      let filled = -above;
      for (let at = row; at < count && filled <= room + 1; at += 1) filled += this.#heightOf(at, 1);
      if (filled > room + 1) return [row, above, false];
    }
    let [row, filled] = [count, 0];
    while (row > 0 && filled < room) filled += this.#heightOf(--row, -1);
    return [row, Math.max(0, filled - room), true];
  }

  /** In pixels; of wrapped rows that aren't known yet, some in this direction are measured together. */
  #heightOf(row, direction) {
    if (!this.#wrap) return this.#rowHeight;
    const number = this.#source.at(row);
    if (!this.#elements.knows(number)) {
      const last = Math.max(-1, Math.min(this.#source.count, row + AT_ONCE * direction));
      const numbers = [];
      for (let at = row; at !== last; at += direction) numbers.push(this.#source.at(at));
      this.#elements.measure(numbers);
    }
    return this.#elements.height(number);
  }

  /** What was once as wide stays so, or the view would jump sideways as rows come and go. */
  #widen() {
    if (this.#wrap) return;
    const width = this.#list.scrollWidth;
    if (width <= this.#width) return;
    this.#width = width;
    this.#spacer.style.minWidth = `${width}px`;
  }
}
