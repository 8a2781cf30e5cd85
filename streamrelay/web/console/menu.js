// A button with a menu (ARIA's menu button): arrows, Home, End, Escape.

import { sentence } from '../log/sentence.js';
import { element, icon, iconButton } from './dom.js';
import { toast } from './toast.js';

/** `entries()` gives `{ label, icon, run }`, or null for a line between, each time that it opens. Button and menu. */
export function menu(label, entries) {
  const list = element('div', { class: 'menu', role: 'menu', popover: 'auto', 'aria-label': label });
  const button = iconButton('more', label);
  button.setAttribute('aria-haspopup', 'menu');
  button.popoverTargetElement = list; // the browser opens and closes it, and says so to screen readers
  list.addEventListener('beforetoggle', ({ newState }) => {
    if (newState === 'open') fill(button, list, entries());
  });
  list.addEventListener('keydown', (event) => move(list, event));
  return { button, list };
}

function fill(button, list, entries) {
  const items = entries.filter((entry, place) => entry || (place && entries[place - 1])); // no line at the top
  list.replaceChildren(...items.map((entry) => (entry ? item(list, entry) : element('div', { role: 'separator' }))));
  list.querySelector('button').autofocus = true;
  const { bottom, right } = button.getBoundingClientRect();
  list.style.top = `${bottom + 4}px`;
  list.style.right = `${document.documentElement.clientWidth - right}px`;
  list.style.maxHeight = `${innerHeight - bottom - 16}px`;
}

function item(list, { label, icon: name, run }) {
  const sign = name ? icon(name) : element('span', { class: 'icon' });
  const press = async () => {
    list.hidePopover();
    try {
      await run();
    } catch (problem) {
      toast(sentence(problem.message)); // nobody else is there to be told
    }
  };
  return element('button', { type: 'button', role: 'menuitem', tabindex: '-1', onclick: press }, sign, label);
}

function move(list, event) {
  const items = [...list.querySelectorAll('button')];
  const now = items.indexOf(document.activeElement);
  const to = { ArrowDown: now + 1, ArrowUp: now - 1, Home: 0, End: -1 }[event.key];
  if (event.key === 'Tab') list.hidePopover();
  if (to === undefined) return;
  event.preventDefault();
  items.at(to % items.length).focus();
}
