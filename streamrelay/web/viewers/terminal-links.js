// Addresses in a terminal's text, which become links.

const PART = '[^\\s"\'!*(){}|\\\\^<>`]'; // of an address, but for brackets
const LAST = '[^\\s"\':,.!?{}|\\\\^~[\\]`()<>]'; // no sign of the sentence around it
const BRACKETED = `\\(${PART}*\\)`; // as Wikipedia's have them: with both or neither

/** An address, for the add-on of xterm.js, whose own ends at the first bracket. */
export const ADDRESS = new RegExp(`(?:https?|HTTPS?)://(?:${PART}|${BRACKETED})*(?:${LAST}|${BRACKETED})`);

/**
 * Follow a link of the target's (OSC 8, or an address in its text), once somebody has read where it leads: the text of
 * the first says what the target likes.
 */
export function follow(address) {
  const { href } = new URL(address); // http or https, as xterm.js has seen; hosts and signs as they are, none unseen
  const words = `The target's link leads to\n\n${href.slice(0, 500)}\n\nFollow it?`;
  if (confirm(words)) window.open(href, '_blank', 'noopener,noreferrer');
}
