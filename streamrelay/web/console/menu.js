// A button with a menu (ARIA's menu button): arrows, Home, End, Escape.

import { element, icon, iconButton } from './dom.js';

let count = 0;

/** `entries()` gives `{ label, icon, run }` anew each time that the menu opens. Gives the button and the menu. */
export function menu(label, entries) {
  const id = `menu-${++count}`;
  const list = element('div', { id, class: 'menu', role: 'menu', popover: 'auto', 'aria-label': label });
  const button = iconButton('more', label, () => open(button, list, entries()));
  button.setAttribute('aria-haspopup', 'menu');
  button.setAttribute('aria-expanded', 'false');
  button.setAttribute('aria-controls', id);
  button.popoverTargetElement = null;
  list.addEventListener('toggle', ({ newState }) => button.setAttribute('aria-expanded', String(newState === 'open')));
  list.addEventListener('keydown', (event) => move(list, event));
  return { button, list };
}

function open(button, list, entries) {
  list.replaceChildren(...entries.map(({ label, icon: name, run }) => element('button', {
    type: 'button', role: 'menuitem', tabindex: '-1', onclick: () => { list.hidePopover(); run(); },
  }, icon(name), label)));
  list.showPopover();
  const { bottom, right } = button.getBoundingClientRect();
  list.style.top = `${bottom + 4}px`;
  list.style.left = `${Math.max(8, right - list.offsetWidth)}px`;
  list.firstElementChild?.focus();
}

function move(list, event) {
  const items = [...list.children];
  const now = items.indexOf(document.activeElement);
  const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: -1 }[event.key];
  if (event.key === 'Tab') list.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  items.at(to % items.length)?.focus();
}
