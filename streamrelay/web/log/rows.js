// A line as an element: text nodes in spans, whatever the line holds.

import { text as textOf } from './ansi.js';
import { GROUNDS, readable, sourceClass } from './colors.js';
import { LOST, NOTE, RESUMED, SKIPPED, TEXT } from './kinds.js';
import { LEVELS, parts } from './levels.js';
import { several } from './several.js';

const SHOWN = 2000; // characters of a line that are shown; the rest is a click away
const MARKS = { [SKIPPED]: 'skipped', [LOST]: 'lost', [RESUMED]: 'resumed', [NOTE]: 'note' };

/** Makes the elements of lines. `filter` knows what is to be highlighted, and which line was found last. */
export class Rows {
  #lines;
  #shown;
  #filter;

  constructor(lines, shown, filter) {
    this.#lines = lines;
    this.#shown = shown;
    this.#filter = filter;
  }

  make(number) {
    const lines = this.#lines;
    const kind = lines.kind(number);
    const row = create(
      'div',
      kind === TEXT ? `row${level(lines.level(number))}` : `row mark ${MARKS[kind] ?? 'ended'}`,
    );
    row.setAttribute('role', 'listitem');
    row.setAttribute('aria-posinset', number + 1);
    row.setAttribute('aria-setsize', -1);
    row.dataset.number = number;
    if (number === this.#filter.current) row.classList.add('current');
    const text = create('span', 'text');
    if (kind === TEXT) this.#fill(text, this.#shown.pieces(number));
    else text.textContent = lines.text(number);
    row.append(create('span', 'time', clock(lines.time(number))), ...named(lines.of(number)), text);
    const followers = lines.followers(number).length;
    if (followers) text.append(this.#fold(number, followers));
    return row;
  }

  /** Differs once the row would be made other than it was. */
  stamp(number) {
    const followers = this.#lines.followers(number).length;
    return `${this.#shown.stamp(number)} ${followers}${followers ? this.#filter.isOpen(number) : ''}`;
  }

  /** The button by which the lines behind this one, which belong to it, come and go. */
  #fold(number, followers) {
    const open = this.#filter.isOpen(number);
    const made = create('button', 'fold', `${open ? '▾' : '▸'} ${several(followers, 'line')}`);
    made.type = 'button';
    made.setAttribute('aria-expanded', String(open));
    made.setAttribute('aria-label', `Stack trace of ${several(followers, 'line')}`);
    return made;
  }

  #fill(element, pieces) {
    const whole = textOf(pieces);
    const plain = !pieces.some(({ style }) => style);
    const found = this.#found(whole.slice(0, SHOWN));
    let from = 0;
    for (const { text, style } of plain ? inParts(whole.slice(0, SHOWN + 1)) : pieces) {
      if (from >= SHOWN) break;
      const shown = text.slice(0, SHOWN - from);
      element.append(styled(style, marked(shown, from, found)));
      from += shown.length;
    }
    if (pieces.over) element.append(over());
    if (whole.length <= SHOWN) return;
    const more = create('button', 'more', `… ${(whole.length - SHOWN).toLocaleString('en')} more`);
    more.type = 'button';
    element.append(more);
  }

  /** Where the highlighted matches are: begins and ends. */
  #found(text) {
    const { highlight } = this.#filter;
    if (!highlight) return [];
    highlight.lastIndex = 0;
    const found = [...text.matchAll(highlight)].filter(([match]) => match);
    return found.map((match) => [match.index, match.index + match[0].length]);
  }
}

const level = (number) => (number ? ` level-${LEVELS[number]}` : '');

/** Which source it came from, where there are several. */
function named({ name, source }) {
  if (!name) return [];
  const made = create('span', `source ${sourceClass(source)}`, name);
  made.title = name;
  return [made];
}

/** A line of JSON with its parts apart; any other one as it is. */
function inParts(line) {
  const pieces = [];
  let at = 0;
  const put = (end, style) => {
    if (end > at) pieces.push({ text: line.slice(at, end), style });
    at = Math.max(at, end);
  };
  for (const [begin, end, kind] of parts(line)) {
    put(begin, null);
    put(end, { classes: [`json-${kind}`] });
  }
  put(line.length, null);
  return pieces;
}

/** A sign that more has been written here than is shown. */
function over() {
  const sign = create('span', 'over');
  sign.title = 'Something that stood here was written over; “Raw” shows it';
  return sign;
}

/** Nodes for a piece of a line that begins at `from`; what was found is in `mark` elements. */
function marked(text, from, found) {
  const nodes = [];
  let at = 0;
  for (const [begin, end] of found) {
    const [low, high] = [Math.max(begin - from, at), Math.min(end - from, text.length)];
    if (low >= high) continue;
    if (low > at) nodes.push(text.slice(at, low));
    nodes.push(create('mark', '', text.slice(low, high)));
    at = high;
  }
  if (at < text.length) nodes.push(text.slice(at));
  return nodes;
}

function styled(style, nodes) {
  const span = create('span', style ? style.classes.join(' ') : '');
  span.append(...nodes);
  if (style?.background) {
    span.style.backgroundColor = style.background;
    const front = /front-(\d+)/.exec(span.className)?.[1];
    span.style.color = readable(style.color || GROUNDS[front] || '#ffffff', style.background);
  } else if (style?.color) span.style.color = style.color;
  return span;
}

function create(name, classes, text = '') {
  const element = document.createElement(name);
  if (classes) element.className = classes;
  if (text) element.textContent = text;
  return element;
}

/** Hours, minutes, seconds and milliseconds, where the reader is. */
function clock(time) {
  const date = new Date(time);
  const two = (number) => String(number).padStart(2, '0');
  const fraction = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${fraction}`;
}
