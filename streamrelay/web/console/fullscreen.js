// The panels with the whole screen for themselves; whichever tab is shown then.

import { $, iconButton, setIcon } from './dom.js';

const { keyboard } = /** @type {any} */ (navigator); // not every browser has one

/** The button of one panel; `entered()` is called once it has the screen. Hidden where a browser has no such thing. */
export function fullScreenButton(entered) {
  const button = iconButton('enlarge', 'Full screen', async () => {
    if (document.fullscreenElement) {
      document.exitFullscreen();
      return;
    }
    await $('panels').requestFullscreen();
    await keyboard?.lock?.(['Escape']).catch(() => {}); // Escape is the target's; held down it leaves
    entered();
  });
  button.hidden = !document.fullscreenEnabled;
  $('panels').addEventListener('fullscreenchange', () => show(button));
  show(button);
  return button;
}

function show(button) {
  const full = document.fullscreenElement !== null;
  const label = full ? 'Leave full screen' : 'Full screen';
  setIcon(button.firstElementChild, full ? 'shrink' : 'enlarge');
  button.setAttribute('aria-label', label);
  button.title = label;
  if (!full) keyboard?.unlock?.();
}
