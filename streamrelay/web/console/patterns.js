// Names of targets that leave parts open, ``vm/{name}/console``, and the form in the list of hosts that asks for them.

import { element } from './dom.js';

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

/** A form that calls `choose(name)` with the parts filled in. */
export function partsForm(pattern, choose) {
  const fields = parts(pattern).map((part) =>
    element(
      'label',
      {},
      part,
      element('input', { name: part, required: true, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' }),
    ),
  );
  const form = element('form', { class: 'parts', 'aria-label': pattern }, ...fields, element('button', {}, 'Open'));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    choose(fill(pattern, Object.fromEntries(new FormData(form))));
  });
  return form;
}
