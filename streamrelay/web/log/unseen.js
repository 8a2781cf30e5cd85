// Characters that can't be seen, or that turn the order of letters around: shown as symbols, in a log's page as by
// `streamrelay connect` (streamrelay/client/log_text.py).

/* eslint-disable no-control-regex */
// Joiners and variants (U+200C, U+200D, U+FE00 to U+FE0F) belong to scripts from U+0590 on and to emoji; elsewhere they
// hide in words. The last two are pairs: marks of music, and the tags of which whole sentences can be made.
const EXPRESSIONS = [
  /[\x00-\x08\x0a-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u17b4\u17b5\u200b\u200e\u200f]/,
  /\u034f|[\u180b-\u180f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff0-\ufffb]/,
  /(?<![^\x00-\u058f])(?:[\u200c\u200d]|(?<![\d#*\xa9\xae])[\ufe00-\ufe0f])/,
  /\ud834[\udd73-\udd7a]|[\udb40-\udb43][\udc00-\udfff]/,
];
/* eslint-enable no-control-regex */

/** Whether there may be one in a text; escapes begin with such characters, too. */
export const SUSPECT = new RegExp(EXPRESSIONS.map(({ source }) => source).join('|'));
const UNSEEN = new RegExp(SUSPECT, 'g');

/** A text with symbols in their place. */
export const seen = (text) => text.replace(UNSEEN, symbol);

function symbol(character) {
  const code = character.codePointAt(0);
  if (code < 0x20) return String.fromCharCode(0x2400 + code); // control pictures
  if (code === 0x7f) return '\u2421';
  return `<${code.toString(16).toUpperCase().padStart(4, '0')}>`;
}
