// Pastes: text of others, which must not act on the terminal's program but as text.

import { pictured } from './raw-text.js';

/**
 * A text of which nothing acts but tabs and line ends: ESC[201~ would end a bracketed paste, and what follows run; an
 * unbracketed one may hold Ctrl-C, Ctrl-D and others. Such controls are seen as their signs.
 */
export function harmless(text) {
  // eslint-disable-next-line no-control-regex
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]/g, pictured);
}

/** Make all pastes into an element that has xterm.js in it harmless: by keys, the menu, or the mouse's middle button. */
export function guardPastes(element, terminal) {
  element.addEventListener(
    'paste',
    (event) => {
      event.preventDefault();
      event.stopPropagation(); // it comes before xterm.js, which doesn't see it
      terminal.paste(harmless(event.clipboardData?.getData('text/plain') ?? ''));
    },
    { capture: true },
  );
}
