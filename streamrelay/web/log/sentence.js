// A sentence to people, of words that stand in the middle of one elsewhere.

/** Words as a sentence: a capital letter and a full stop. */
export function sentence(words) {
  return words && words[0].toUpperCase() + words.slice(1) + (/[.!?…]$/.test(words) ? '' : '.');
}
