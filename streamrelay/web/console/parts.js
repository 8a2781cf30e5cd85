// The form in the list of hosts that asks for the parts of a target which is a pattern.

import { element } from './dom.js';
import { fill, parts } from './patterns.js';

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
