// Text that no key brings: an emoji picker's, dictation, word suggestions. xterm.js leaves out some of it: all while
// it supports screen readers, and what comes after a key whose release another window has had.

const KINDS = /^insert(Text|ReplacementText|LineBreak)$/; // compositions and pastes have events of their own
const COMPOSING = 229; // the number of a key that an input method has taken; xterm.js looks at what it made of it

/** Let a terminal have the text that comes into its field in `element` by no key, where xterm.js doesn't take it. */
export function takeTextWithoutKeys(element, terminal) {
  let key = null; // the event of one that is down, and was taken
  let taken = false;
  terminal.onKey(({ domEvent }) => {
    key = domEvent;
  });
  terminal.onData(() => {
    taken = true;
  });
  const released = () => {
    key = null;
  };
  const pressed = (event) => {
    key = event.isComposing || event.keyCode === COMPOSING ? event : null;
  };
  element.addEventListener('keydown', pressed, { capture: true }); // before xterm.js, which says what it has taken
  for (const name of ['keyup', 'focusout']) element.addEventListener(name, released);
  const before = () => {
    taken = false;
  };
  element.addEventListener('input', before, { capture: true });
  element.addEventListener('input', (event) => {
    const keys = key !== null && !key.defaultPrevented; // it is what the browser makes of that key
    if (taken || keys || event.isComposing || !KINDS.test(event.inputType)) return;
    terminal.input(event.inputType === 'insertLineBreak' ? '\r' : (event.data ?? ''));
  });
}
