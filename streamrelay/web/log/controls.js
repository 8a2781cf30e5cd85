// The controls of <stream-log>: what can be pressed and typed, and what is said of it. They know nothing of lines.

import { copied } from './clipboard.js';

/** An element with attributes, properties (functions, and what isn't text) and children. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'string') made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

export function button(label, title, onclick) {
  const name = /^\w{3}/.test(label) ? {} : { 'aria-label': title }; // a word names it as it stands (WCAG 2.5.3)
  return element('button', { type: 'button', title, ...name, onclick }, label);
}

/** A button that stays pressed; `changed(pressed)`. */
export function toggle(label, title, changed) {
  const made = button(label, title, () => made.set(made.getAttribute('aria-pressed') !== 'true'));
  made.setAttribute('aria-pressed', 'false');
  made.set = (pressed) => {
    if (made.pressed === pressed) return;
    made.setAttribute('aria-pressed', String(pressed));
    changed(pressed);
  };
  Object.defineProperty(made, 'pressed', { get: () => made.getAttribute('aria-pressed') === 'true' });
  return made;
}

/** Where the lines are. */
export const scroller = () =>
  element('div', { class: 'scroller', tabindex: '0', role: 'log', 'aria-live': 'off', 'aria-label': 'Lines' });

const SETTLE = 150; // ms without a key until what was typed counts

/** A field with toggles; `changed()` is told once what is typed has settled. */
export class Field {
  #input;
  #toggles;
  #count = element('span', { class: 'count', role: 'status' });
  #timer = 0;
  #changed;

  /** `toggles` are buttons by name, `more` further ones. */
  constructor(label, changed, toggles, more = []) {
    this.#changed = changed;
    this.#toggles = toggles;
    this.#input = element('input', {
      type: 'search',
      placeholder: label,
      'aria-label': label,
      autocomplete: 'off',
      autocapitalize: 'off',
      spellcheck: false,
      oninput: () => this.#later(),
    });
    this.element = element(
      'div',
      { class: 'group', role: 'group', 'aria-label': label },
      this.#input,
      ...Object.values(toggles),
      ...more,
      this.#count,
    );
  }

  get text() {
    return this.#input.value;
  }

  /** What is typed, at once. */
  set text(text) {
    this.#input.value = text;
    this.#now();
  }

  pressed(name) {
    return this.#toggles[name].pressed;
  }

  get input() {
    return this.#input;
  }

  focus() {
    this.#input.focus();
    this.#input.select();
  }

  /** What is said behind it; a fault marks the field. */
  say(words, fault = false) {
    if (this.#count.textContent !== words) this.#count.textContent = words;
    this.element.classList.toggle('bad', fault);
    this.#input.setAttribute('aria-invalid', String(fault));
  }

  /** Whether what is typed counts already; if not, it does now. */
  hurry() {
    if (!this.#timer) return false;
    this.#now();
    return true;
  }

  #later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#now(), SETTLE);
  }

  #now() {
    clearTimeout(this.#timer);
    this.#timer = 0;
    this.#changed();
  }
}

/** A line in full, in a window of its own. */
export class Whole {
  #text = element('pre', { tabindex: '0' });
  #said = element('span', { class: 'spring', role: 'status' });
  #dialog;

  constructor() {
    const close = button('Close', 'Close', () => this.#dialog.close());
    const copy = button('Copy', 'Copy the line', async () => {
      this.#said.textContent = await copied(this.#text.textContent);
    });
    this.#dialog = element(
      'dialog',
      { 'aria-label': 'The whole line' },
      element('header', {}, copy, this.#said, close),
      this.#text,
    );
    this.element = this.#dialog;
  }

  show(text) {
    this.#text.textContent = text;
    this.#said.textContent = '';
    this.#dialog.showModal();
  }
}
