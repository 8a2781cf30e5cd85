// The elements of rows that are in the page, by the rows' numbers, and the heights that were measured of them.

const REMEMBERED = 20_000; // heights

export class Elements {
  #list;
  #make;
  #stamp;
  #held;
  #made = new Map(); // by number: [element, stamp]
  #heights = new Map();

  /** One that is `held(element)` is not made anew. */
  constructor(list, { make, stamp, held }) {
    this.#list = list;
    this.#held = held;
    this.#make = make;
    this.#stamp = stamp;
  }

  clear() {
    this.#made.clear();
    this.#heights.clear();
    this.#list.replaceChildren();
  }

  /** Have these rows in the page, in this order, and no others; those that stay aren't touched. */
  place(numbers) {
    const wanted = new Set(numbers);
    for (const [number, [element]] of this.#made) {
      if (wanted.has(number)) continue;
      element.remove();
      this.#made.delete(number);
    }
    const elements = numbers.map((number) => this.#element(number));
    let next = this.#list.firstChild;
    for (const element of elements) {
      if (element === next) next = next.nextSibling;
      else this.#list.insertBefore(element, next);
    }
  }

  /** Whether its height was measured, as it is now. */
  knows(number) {
    return this.#heights.has(number) && (!this.#made.has(number) || this.#made.get(number)[1] === this.#stamp(number));
  }

  height(number) {
    return this.#heights.get(number);
  }

  /** All are put into the page before the first one is measured, as that costs but one layout. */
  measure(numbers) {
    if (this.#heights.size > REMEMBERED) this.#heights.clear();
    const elements = numbers.map((number) => this.#element(number));
    this.#list.append(...elements.filter((element) => !element.isConnected));
    for (const [index, element] of elements.entries()) {
      this.#heights.set(numbers[index], element.getBoundingClientRect().height);
    }
  }

  /** The height of a row that isn't wrapped. */
  usual() {
    const probe = document.createElement('div');
    probe.className = 'row';
    this.#list.append(probe);
    const { height } = probe.getBoundingClientRect();
    probe.remove();
    return height || 20;
  }

  #element(number) {
    const stamp = this.#stamp(number);
    const known = this.#made.get(number);
    if (known && (known[1] === stamp || this.#held(known[0]))) return known[0];
    const element = this.#make(number);
    this.#made.set(number, [element, stamp]);
    known?.[0].replaceWith(element);
    return element;
  }
}
