// What somebody has chosen in this browser, for all terminals or for one machine; all of it is off until then.

/** Terminals tell screen readers their rows. */
export const READER = 'terminal-screen-reader';
/** On a Mac the Option key is a terminal's Meta, and types no letters of its own. */
export const META = 'terminal-option-meta';

export function chosen(name) {
  try {
    return localStorage.getItem(name) === 'on';
  } catch {
    return false; // a browser that keeps nothing for this page
  }
}

export function choose(name, on) {
  try {
    if (on) localStorage.setItem(name, 'on');
    else localStorage.removeItem(name);
  } catch {
    // it counts until the tab is closed
  }
}
