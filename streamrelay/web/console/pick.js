// A window in which somebody chooses further logs for a tab, of all hosts that are up.

import { $, element } from './dom.js';
import { fragment, MOST, parse } from './links.js';
import { fill, parts } from './patterns.js';
import { isLog } from './viewers.js';

/** Promises the hosts and targets that are chosen of a list of hosts; none that is in `taken`. */
export function pickLogs(hosts, taken) {
  const is = (host, name) => taken.some((one) => one.host === host && one.target === name);
  const rows = hosts
    .filter(({ away }) => !away)
    .flatMap(({ host, targets }) => targets.filter((target) => isLog(target)).map(({ name }) => row(host, name)))
    .filter(({ host, name }) => !is(host, name));
  const fault = element('p', { class: 'error', role: 'alert' });
  const chosen = () =>
    rows
      .flatMap(({ host, value }) => (value() ? [{ host, target: value() }] : []))
      .filter(({ host, target }) => !is(host, target));
  const dialog = build(rows, fault);
  dialog.querySelector('form').addEventListener('submit', (event) => {
    fault.textContent = refused(chosen(), taken);
    if (fault.textContent) event.preventDefault();
  });
  $('work').append(dialog);
  dialog.showModal();
  return new Promise((settle) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      settle(dialog.returnValue === 'add' ? chosen() : []);
    });
  });
}

/** Why none of what is chosen is added; "" if it can be. */
function refused(chosen, taken) {
  const wrong = chosen.find(({ host, target }) => !parse(fragment(host, target)));
  if (wrong) return `“${wrong.target}” is not a valid target name`;
  return chosen.length + taken.length > MOST ? `A tab has at most ${MOST} logs, and this one ${taken.length}` : '';
}

/** What can be chosen: `value()` is the target's name, or "". A pattern asks for its parts. */
function row(host, name) {
  const fields = parts(name).map((part) =>
    element('input', {
      name: part,
      placeholder: part,
      'aria-label': `${part} of ${name} on ${host}`,
      autocomplete: 'off',
      autocapitalize: 'off',
      spellcheck: 'false',
    }),
  );
  if (fields.length) {
    const value = () => {
      const filled = Object.fromEntries(fields.map((field) => [field.name, field.value.trim()]));
      return fields.every((field) => field.value.trim()) ? fill(name, filled) : '';
    };
    return { host, name, value, element: element('div', { class: 'pick' }, element('span', {}, name), ...fields) };
  }
  const box = element('input', { type: 'checkbox' });
  return {
    host,
    name,
    value: () => (box.checked ? name : ''),
    element: element('label', { class: 'pick' }, box, name),
  };
}

function build(rows, fault) {
  const hosts = [...new Set(rows.map(({ host }) => host))];
  const groups = hosts.map((host) =>
    element(
      'fieldset',
      {},
      element('legend', {}, host),
      ...rows.filter((each) => each.host === host).map((each) => each.element),
    ),
  );
  const none = element('p', { class: 'muted' }, 'There is no other log that you may open.');
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', { id: 'pick-title' }, 'Add logs to this view'),
    element('div', { class: 'picks' }, ...(rows.length ? groups : [none])),
    fault,
    element(
      'div',
      { class: 'choices' },
      element('button', { type: 'button', onclick: ({ target }) => target.closest('dialog').close() }, 'Cancel'),
      element('button', { class: 'primary', value: 'add', disabled: !rows.length }, 'Add'),
    ),
  );
  return element('dialog', { 'aria-labelledby': 'pick-title', class: 'picking' }, form);
}
