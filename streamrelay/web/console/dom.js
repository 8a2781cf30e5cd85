// Elements: made, found, and kept in step with a list. Text goes in as text, never as markup.

/** The page's element of an id; which kind it is stands in console.html. @type {(id: string) => any} */
export const $ = (id) => document.getElementById(id);

/** An element. An attribute that is true stands without a value, one that is false not at all; `onclick` listens. */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, '');
    else if (value !== false && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** One of the icons at the end of console.html, in the text's colour; it says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(use);
  setIcon(svg, name);
  return svg;
}

export function setIcon(svg, name) {
  svg.firstElementChild.setAttribute('href', `#icon-${name}`);
}

/** A button that is only an icon. */
export function iconButton(name, label, run) {
  return element(
    'button',
    { class: 'icon-button', type: 'button', 'aria-label': label, title: label, onclick: run },
    icon(name),
  );
}

/** Text of an element, written only when it changes: a live region says what is written. */
export function write(where, text) {
  if (where.textContent !== text) where.textContent = text;
}

/**
 * Have `parent` show `items`, in this order: what is there already stays the same element, so that focus, scroll and
 * what was typed stay, too. `make(item)` gives `{ element, update(item) }`.
 */
export function keepInStep(parent, shown, items, key, make) {
  const wanted = new Map(items.map((item) => [key(item), item]));
  for (const [name, one] of shown) {
    if (wanted.has(name)) continue;
    one.element.remove();
    shown.delete(name);
  }
  let place = parent.firstElementChild;
  for (const [name, item] of wanted) {
    const one = shown.get(name) ?? make(item);
    shown.set(name, one);
    one.update(item);
    if (one.element === place) place = place.nextElementSibling;
    else parent.insertBefore(one.element, place);
  }
}
