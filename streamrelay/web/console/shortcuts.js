// Keys that work everywhere, also while a console has the focus: nobody is caught in one.

import { $ } from './dom.js';

export function listenForKeys(tabs) {
  const acts = {
    PageDown: () => tabs.step(1),
    PageUp: () => tabs.step(-1),
    Home: () => (tabs.selected?.button ?? $('hosts')).focus(),
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
