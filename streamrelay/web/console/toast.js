// What the page says for a moment, to eyes and to screen readers.

import { $ } from './dom.js';

const SHOWN = 4000; // ms
let timer = 0;

export function toast(words) {
  whisper(words);
  $('toast').textContent = words;
  $('toast').showPopover(); // above whatever has the full screen
  clearTimeout(timer);
  timer = setTimeout(() => $('toast').hidePopover(), SHOWN);
}

/** To screen readers alone: it can be seen elsewhere on the page. */
export function whisper(words) {
  $('said').textContent = words;
}
