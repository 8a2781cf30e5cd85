// What the filter finds: words in the names of hosts and targets, and in labels as they are written (`site=fra`).

import { element } from './dom.js';

const MOST = 16; // words
const texts = new WeakMap(); // of a host's entry, in small letters

/** The words of a filter, each once. */
export function wordsOf(text) {
  return [...new Set(text.toLowerCase().split(/\s+/).filter(Boolean))].slice(0, MOST);
}

/** Labels as words, in their order. */
export function labelsOf({ labels }) {
  return Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
}

/**
 * What of a host has all words: all its targets if its name and labels have them, else those whose name with these has;
 * null if there is none. `byTarget` tells whether the targets' names were needed.
 */
export function found(entry, words) {
  const { host, targets } = textsOf(entry);
  const missing = words.filter((word) => !host.includes(word));
  if (!missing.length) return { targets: entry.targets, byTarget: false };
  const fit = entry.targets.filter((_, at) => missing.every((word) => targets[at].includes(word)));
  return fit.length ? { targets: fit, byTarget: true } : null;
}

function textsOf(entry) {
  if (!texts.has(entry)) {
    const host = [entry.host, ...labelsOf(entry)].join('\n').toLowerCase(); // no word has a line's end
    texts.set(entry, { host, targets: entry.targets.map(({ name }) => name.toLowerCase()) });
  }
  return texts.get(entry);
}

/** The labels in which one of the words is. */
export function labelsWith(entry, words) {
  return labelsOf(entry).filter((label) => words.some((word) => label.toLowerCase().includes(word)));
}

/** A text that may be broken behind its slashes and dots, with the words marked that were looked for. */
export function marked(text, words) {
  const is = places(text, words);
  const parts = [];
  for (let begin = 0, end; begin < text.length; begin = end) {
    end = begin + 1;
    while (end < text.length && is[end] === is[begin] && !'/.'.includes(text[end - 1])) end += 1;
    const part = text.slice(begin, end);
    parts.push(is[begin] ? element('mark', {}, part) : part);
    if ('/.'.includes(part.at(-1)) && end < text.length) parts.push(element('wbr'));
  }
  return parts;
}

/** Which characters belong to one of the words. */
function places(text, words) {
  const small = text.toLowerCase();
  const is = Array(text.length).fill(false);
  if (small.length !== text.length) return is; // a letter that is several ones when it is small
  for (const word of words) {
    for (let at = small.indexOf(word); at >= 0; at = small.indexOf(word, at + 1)) is.fill(true, at, at + word.length);
  }
  return is;
}
