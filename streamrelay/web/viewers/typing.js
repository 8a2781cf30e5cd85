// Text that is typed for the user, key by key: for machines that have no clipboard yet, and for phones.

import { askFor } from './form.js';

const EVERY = 20; // milliseconds for a key; a machine's keyboard holds few that it hasn't taken
const SHIFTED = /[A-Z~!@#$%^&*()_+{}|:"<>?]/; // on a keyboard of the US

/**
 * Ask for a text, then press its keys.
 *
 * @param {HTMLElement} element - the viewer's
 * @param {AbortSignal} signal - ends it
 * @param {(letter: string, shift: boolean) => void} press - press and release one key
 */
export async function typeText(element, signal, press) {
  const fields = [{ name: 'text', label: 'Text' }];
  const answer = await askFor(element, 'Text to be typed, as by a keyboard', fields, { signal, action: 'Type' });
  for (const letter of answer?.text ?? '') {
    if (signal.aborted) return;
    press(letter, SHIFTED.test(letter));
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}
