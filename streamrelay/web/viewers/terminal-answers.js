// What a terminal says by itself, as its program asked it something, or as the focus came or went: nobody has typed it.

const STATUS = '\\[[?>=]?[\\d;]*[cnRt]'; // attributes, status, where the cursor is, sizes
const MODE = '\\[\\??[\\d;]*\\$y';
const FOCUS = '\\[[IO]';
const STRING = '[P\\]][^\\x07\\x1b]*(?:\\x07|\\x1b\\\\)'; // settings, colours
const ANSWERS = new RegExp(`^(?:\\x1b(?:${[STATUS, MODE, FOCUS, STRING].join('|')}))+$`);

/** Whether a text for the target is made of answers alone. Shift-F3 looks like one, and is a key. */
export function isAnswer(text) {
  return ANSWERS.test(text);
}
