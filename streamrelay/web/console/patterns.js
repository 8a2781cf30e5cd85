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
  const literals = pattern.split(/\{\w+\}/).map((text) => text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'));
  return new RegExp(`^${literals.join('.+')}$`).test(name);
}
