// A panel that has the whole screen.

import { iconButton, setIcon } from './dom.js';

/** The button for it; `entered()` is called once the panel has the screen. Hidden where a browser has no such thing. */
export function fullScreenButton(panel, entered) {
  const button = iconButton('enlarge', 'Full screen', async () => {
    if (document.fullscreenElement) {
      document.exitFullscreen();
      return;
    }
    await panel.requestFullscreen();
    await navigator.keyboard?.lock?.(['Escape']).catch(() => {}); // Escape is the target's; held down it leaves
    entered();
  });
  button.hidden = !document.fullscreenEnabled;
  panel.addEventListener('fullscreenchange', () => {
    const full = document.fullscreenElement === panel;
    const label = full ? 'Leave full screen' : 'Full screen';
    setIcon(button.firstElementChild, full ? 'shrink' : 'enlarge');
    button.setAttribute('aria-label', label);
    button.title = label;
    if (!full) navigator.keyboard?.unlock?.();
  });
  return button;
}
