// Whether terminals tell screen readers their rows: off unless somebody has chosen it in this browser.

const NAME = 'terminal-screen-reader';

export function wantsReader() {
  try {
    return localStorage.getItem(NAME) === 'on';
  } catch {
    return false; // a browser that keeps nothing for this page
  }
}

export function keepReader(on) {
  try {
    if (on) localStorage.setItem(NAME, 'on');
    else localStorage.removeItem(NAME);
  } catch {
    // it counts until the tab is closed
  }
}
