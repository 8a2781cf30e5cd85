// Names of targets that leave parts open: ``vm/{name}/console``.

const PART = /\{(\w+)\}/g;

/** The names of its parts. */
export function parts(pattern) {
  return [...new Set([...pattern.matchAll(PART)].map(([, part]) => part))];
}

/** The name with its parts filled in. */
export function fill(pattern, values) {
  return pattern.replace(PART, (all, part) => values[part] ?? all);
}

/** Whether a name could be one of the pattern's; the host alone knows which of them it takes. */
export function fits(pattern, name) {
  const [first, ...literals] = pattern.split(/\{\w+\}/);
  if (!literals.length) return name === pattern;
  const last = literals.pop();
  // Without an expression: one with many parts, which a host may invent, would take for ever.
  let end = name.startsWith(first) ? first.length : Infinity;
  for (const literal of literals) {
    const begin = name.indexOf(literal, end + 1); // a part has a character at least
    end = begin < 0 ? Infinity : begin + literal.length;
  }
  return name.endsWith(last) && end + 1 + last.length <= name.length;
}
