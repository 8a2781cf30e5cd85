// How many columns a letter takes: as the programs that draw with it count, bash, vim and tmux among them.
//
// xterm.js's add-on knows what belongs together, and which emoji are wide. It counts two columns where U+FE0F asks for
// an emoji in place of a sign; programs count the sign's one. And it lacks the emoji that came after Unicode 13.

const AS_EMOJI = 0xfe0f;
const [FIRST_NEW, LAST_NEW] = [0x1fa70, 0x1faff];
const [JOINED, WIDTH, WIDE] = [1, 6, 4]; // the bits of a letter's properties in xterm.js

/** Let a terminal count so. */
export function countColumns(terminal, addon) {
  let known = null;
  const register = (provider) => {
    known = provider; // the last one is that of whole graphemes
  };
  addon.activate({ unicode: { register, activeVersion: '' } });
  const widened = (properties, letter, before) => {
    if (letter === AS_EMOJI && properties & JOINED) return (properties & ~WIDTH) | (before & WIDTH);
    const fresh = letter >= FIRST_NEW && letter <= LAST_NEW && !(properties & JOINED);
    return fresh ? (properties & ~WIDTH) | WIDE : properties;
  };
  terminal.unicode.register({
    version: 'programs',
    wcwidth: (letter) => (letter >= FIRST_NEW && letter <= LAST_NEW ? 2 : known.wcwidth(letter)),
    charProperties: (letter, before) => widened(known.charProperties(letter, before), letter, before),
  });
  terminal.unicode.activeVersion = 'programs';
}
