// What the page says for a moment, to eyes and to screen readers.

import { $ } from './dom.js';

const SHOWN = 4000; // ms
let timer = 0;

export function say(words) {
  clearTimeout(timer);
  $('said').textContent = words;
  $('said').classList.add('shown');
  timer = setTimeout(quiet, SHOWN);
}

/** To screen readers alone: it can be seen elsewhere on the page. */
export function whisper(words) {
  clearTimeout(timer);
  $('said').classList.remove('shown');
  $('said').textContent = words;
}

function quiet() {
  $('said').classList.remove('shown');
}
