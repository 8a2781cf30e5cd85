// Addresses in a terminal's text, which become links.

const PART = '[^\\s"\'!*(){}|\\\\^<>`]'; // of an address, but for brackets
const LAST = '[^\\s"\':,.!?{}|\\\\^~[\\]`()<>]'; // no sign of the sentence around it
const BRACKETED = `\\(${PART}*\\)`; // as Wikipedia's have them: with both or neither

/** An address, for the add-on of xterm.js, whose own ends at the first bracket. */
export const ADDRESS = new RegExp(`(?:https?|HTTPS?)://(?:${PART}|${BRACKETED})*(?:${LAST}|${BRACKETED})`);
