// Text that is typed for the user, key by key: for machines that have no clipboard yet, and for phones.

import { askFor } from './form.js';

const EVERY = 20; // milliseconds for a key; a machine's keyboard holds few that it hasn't taken
const SHIFTED = /[A-Z~!@#$%^&*()_+{}|:"<>?]/; // on a keyboard of the US

/**
 * Ask for a text, then press its keys; if there are letters without a key, say so first, and ask again.
 *
 * @param {HTMLElement} element - the viewer's
 * @param {AbortSignal} signal - ends it
 * @param {(letter: string) => boolean} can - whether there is a key for a letter
 * @param {(letter: string, shift: boolean) => void} press - press and release one key
 */
export async function typeText(element, signal, can, press) {
  for (const letter of await askText(element, signal, can)) {
    if (signal.aborted) return;
    press(letter, SHIFTED.test(letter));
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}

async function askText(element, signal, can) {
  let words = 'Text to be typed, as by a keyboard';
  let value = '';
  for (;;) {
    const fields = [{ name: 'text', label: 'Text', value }];
    value = (await askFor(element, words, fields, { signal, action: 'Type' }))?.text ?? '';
    const missing = [...new Set(value)].filter((letter) => !can(letter));
    if (!missing.length) return value;
    words = `Nothing was typed, as a keyboard of the US has no ${missing.join(' ')}`;
  }
}
