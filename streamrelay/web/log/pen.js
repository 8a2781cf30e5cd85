// How a terminal writes: what "select graphic rendition" has set, of all that came so far.

const CUBE = [0, 95, 135, 175, 215, 255]; // of the 256 colours, those from 16 on
const MOST = 60_000; // states with a number, so that one fits into two bytes; those that come later begin lines plain
const PLAIN = [[], null, null];
const KEPT = [PLAIN];
const NUMBERS = new Map([[JSON.stringify(PLAIN), 0]]);

/** Begins as another one has ended, by its number. */
export class Pen {
  #attributes;
  #color; // a number up to 15, or a colour of CSS
  #background;
  #style; // once it has been asked for

  constructor(number = 0) {
    const [attributes, color, background] = KEPT[number];
    this.#attributes = new Set(attributes);
    this.#color = color;
    this.#background = background;
  }

  /** Null, or `classes` and, for colours that aren't of the first 16, `color` and `background`. */
  get style() {
    if (this.#style === undefined) this.#style = this.#made();
    return this.#style;
  }

  /** A number that stands for how it is now. */
  get number() {
    const state = [[...this.#attributes], this.#color, this.#background];
    const key = JSON.stringify(state);
    if (!NUMBERS.has(key) && KEPT.length < MOST) NUMBERS.set(key, KEPT.push(state) - 1);
    return NUMBERS.get(key) ?? 0;
  }

  #made() {
    const inverse = this.#attributes.has('inverse');
    const [front, back] = inverse ? [this.#background, this.#color] : [this.#color, this.#background];
    if (front === null && back === null && !this.#attributes.size) return null;
    const classes = [...this.#attributes];
    if (typeof front === 'number') classes.push(`front-${front}`);
    if (typeof back === 'number') classes.push(`back-${back}`);
    if (inverse && front === null) classes.push('front-ground');
    if (inverse && back === null) classes.push('back-text');
    return { classes, color: typeof front === 'string' ? front : '', background: typeof back === 'string' ? back : '' };
  }

  /** The numbers of a sequence; those that aren't known are passed over. */
  take(numbers) {
    if (!/^[\d;:]*$/.test(numbers)) return;
    this.#style = undefined;
    const list = numbers.split(';');
    for (let at = 0; at < list.length; at += 1) {
      const parts = list[at].split(':');
      const code = Number(parts[0]);
      if (code !== 38 && code !== 48) {
        this.#set(code, parts);
        continue;
      }
      const [color, used] = parts.length > 1 ? [extended(withoutSpace(parts)), 0] : further(list.slice(at + 1));
      at += used;
      if (color === null) continue;
      if (code === 38) this.#color = color;
      else this.#background = color;
    }
  }

  #set(code, [, more]) {
    const attributes = this.#attributes;
    if (code === 0) {
      attributes.clear();
      this.#color = this.#background = null;
    } else if (code === 4 && more === '0') attributes.delete('underline');
    else if (Object.hasOwn(ON, code)) attributes.add(ON[code]);
    else if (Object.hasOwn(OFF, code)) this.#unset(OFF[code]);
    else if (code >= 30 && code <= 37) this.#color = code - 30;
    else if (code >= 90 && code <= 97) this.#color = code - 82;
    else if (code === 39) this.#color = null;
    else if (code >= 40 && code <= 47) this.#background = code - 40;
    else if (code >= 100 && code <= 107) this.#background = code - 92;
    else if (code === 49) this.#background = null;
  }

  #unset(names) {
    for (const name of names) this.#attributes.delete(name);
  }
}

// Concealed text (8) stays visible: a log has nothing to hide.
const ON = { 1: 'bold', 2: 'faint', 3: 'italic', 4: 'underline', 7: 'inverse', 9: 'struck', 21: 'underline' };
const OFF = { 22: ['bold', 'faint'], 23: ['italic'], 24: ['underline'], 27: ['inverse'], 29: ['struck'] };

/** What follows 38 or 48 between semicolons: a colour, and how many numbers it took. */
function further(list) {
  const used = list[0] === '5' ? 2 : list[0] === '2' ? 4 : 0;
  return [extended(list.slice(0, used)), used];
}

/** `38:2:space:r:g:b` is `38:2:r:g:b` with a colour space that nobody uses. */
function withoutSpace(parts) {
  return parts[1] === '2' && parts.length > 5 ? ['2', ...parts.slice(3, 6)] : parts.slice(1);
}

function extended([way, ...values]) {
  const numbers = values.map(Number);
  if (numbers.some((number) => !(number >= 0 && number <= 255))) return null;
  if (way === '2' && numbers.length === 3) return `rgb(${numbers.join(' ')})`;
  return way === '5' && numbers.length === 1 ? indexed(numbers[0]) : null;
}

function indexed(number) {
  if (number < 16) return number;
  const grey = 8 + (number - 232) * 10;
  if (number > 231) return `rgb(${grey} ${grey} ${grey})`;
  const place = number - 16;
  return `rgb(${[Math.floor(place / 36), Math.floor(place / 6) % 6, place % 6].map((each) => CUBE[each]).join(' ')})`;
}
