// A sentence to people, of words that stand in the middle of one elsewhere.

const URLS = /^[a-z][a-z+]*:\/\//;

/** Words as a sentence: a capital letter, unless a URL comes first, and a full stop. */
export function sentence(words) {
  return (
    words &&
    (URLS.test(words) ? words[0] : words[0].toUpperCase()) + words.slice(1) + (/[.!?…]$/.test(words) ? '' : '.')
  );
}
