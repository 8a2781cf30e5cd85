// Keys that work everywhere, also while a console has the focus: nobody is caught in one.

import { $ } from './dom.js';

/** `search()` leads to the filter of hosts. */
export function listenForKeys(tabs, search) {
  const home = () => {
    const tab = tabs.selected?.button;
    if (tab && tab !== document.activeElement) tab.focus();
    else search();
  };
  const acts = {
    PageDown: () => tabs.step(1),
    PageUp: () => tabs.step(-1),
    Home: home,
  };
  addEventListener(
    'keydown',
    (event) => {
      if (!event.ctrlKey || !event.altKey || event.shiftKey || !Object.hasOwn(acts, event.key)) return;
      event.preventDefault();
      event.stopPropagation(); // it comes before any viewer, and none sees it
      acts[event.key]();
    },
    { capture: true },
  );
  $('keys').addEventListener('click', () => $('keys-dialog').showModal());
}
