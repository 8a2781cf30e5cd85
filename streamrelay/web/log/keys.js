// The keys of a log (docs/javascript.rst).

const IN_LINES = { '/': 'search', End: 'end', Home: 'start' };

/** What a key is to do; null for what is the browser's. `inLines`: whether the lines have the focus. */
export function meaning({ key, ctrlKey, metaKey, altKey, shiftKey }, inLines) {
  const command = ctrlKey || metaKey;
  if (command && !altKey && key.toLowerCase() === 'f') return 'search';
  if (key === 'F3') return shiftKey ? 'before' : 'next';
  if (!inLines) return key === 'Escape' ? 'lines' : null;
  if (command && key === '/') return null;
  return Object.hasOwn(IN_LINES, key) ? IN_LINES[key] : null;
}
