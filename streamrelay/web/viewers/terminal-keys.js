// Keys that a phone's keyboard lacks, in a bar below the terminal; it is shown where fingers point.

const KEYS = [
  ['Esc', '\x1b'],
  ['Tab', '\t'],
  ['↑', 'A', 'Up'],
  ['↓', 'B', 'Down'],
  ['←', 'D', 'Left'],
  ['→', 'C', 'Right'],
  ['|', '|'],
  ['/', '/'],
  ['-', '-'],
];

/**
 * The bar, and `apply`, through which what is typed goes: after Ctrl the next letter is its control character.
 *
 * @param terminal - xterm.js's
 */
export function keyBar(terminal) {
  const element = document.createElement('div');
  element.className = 'terminal-keys';
  element.setAttribute('role', 'toolbar');
  element.setAttribute('aria-label', 'Keys');
  const control = button('Ctrl', () => control.setAttribute('aria-pressed', String(!held())));
  const held = () => control.getAttribute('aria-pressed') === 'true';
  control.setAttribute('aria-pressed', 'false');
  const cursor = (letter) => `\x1b${terminal.modes.applicationCursorKeysMode ? 'O' : '['}${letter}`;
  element.append(
    control,
    ...KEYS.map(([label, text, name]) => {
      const key = button(label, () => terminal.input(name ? cursor(text) : text));
      if (name) key.setAttribute('aria-label', name);
      return key;
    }),
  );

  function apply(text) {
    if (!held() || !/^[@-~]$/.test(text)) return text;
    control.setAttribute('aria-pressed', 'false');
    return String.fromCharCode(text.toUpperCase().charCodeAt(0) & 31);
  }
  return { element, apply };
}

function button(label, run) {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = label;
  made.addEventListener('pointerdown', (event) => event.preventDefault()); // the terminal keeps focus and keyboard
  made.addEventListener('click', run);
  return made;
}
