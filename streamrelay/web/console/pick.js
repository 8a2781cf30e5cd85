// A window in which somebody chooses further logs for a tab, of all hosts that are up.

import { $, element, keepInStep } from './dom.js';
import { fragment, MOST, parse } from './links.js';
import { fill, parts } from './patterns.js';
import { found, wordsOf } from './search.js';
import { isLog } from './viewers.js';

const LITTLE = 12; // logs that need no filter
const SHOWN = 100; // logs that are shown at once

/** Promises the hosts and targets that are chosen of a list of hosts; none that is in `taken`. */
export function pickLogs(hosts, taken) {
  const is = (host, name) => taken.some((one) => one.host === host && one.target === name);
  const rows = new Map(); // those that have been shown: what is chosen of them counts, whatever is looked for then
  const logs = (words) => logsOf(hosts, words).filter(({ host, name }) => !is(host, name));
  const fault = element('p', { class: 'error', role: 'alert' });
  const chosen = () =>
    [...rows.values()]
      .flatMap(({ host, value }) => (value() ? [{ host, target: value() }] : []))
      .filter(({ host, target }) => !is(host, target));
  const dialog = build(logs, rows, fault);
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

/** The logs of hosts that are up in which all words are. */
function logsOf(hosts, words) {
  return hosts
    .filter(({ state }) => state === 'up')
    .flatMap((entry) => {
      const targets = found(entry, words)?.targets ?? [];
      return targets.filter((target) => isLog(target)).map(({ name }) => ({ host: entry.host, name }));
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

/** What shows logs by their hosts: those that have some words, and those that are chosen already. */
function lister(logs, rows, where, rest) {
  const groups = new Map();
  const rowOf = ({ host, name }) => {
    const key = `${host}/${name}`;
    if (!rows.has(key)) rows.set(key, row(host, name));
    return rows.get(key);
  };
  return (words) => {
    const all = logs(words);
    const fit = all.slice(0, SHOWN).map(rowOf);
    const others = [...rows.values()].filter((one) => one.value() && !fit.includes(one));
    const byHost = new Map();
    for (const one of [...others, ...fit]) byHost.set(one.host, [...(byHost.get(one.host) ?? []), one]);
    keepInStep(
      where,
      groups,
      [...byHost],
      ([host]) => host,
      ([host]) => group(host),
    );
    const more = (all.length - fit.length).toLocaleString('en');
    rest.hidden = all.length > 0 && all.length === fit.length;
    rest.textContent = all.length ? `${more} more: filter them by words.` : 'No log has these words.';
  };
}

function group(host) {
  const made = element('fieldset', {}, element('legend', {}, host));
  const update = ([, rows]) => made.replaceChildren(made.firstElementChild, ...rows.map((one) => one.element));
  return { element: made, update };
}

function build(logs, rows, fault) {
  const count = logs([]).length;
  const where = element('div', { class: 'groups' });
  const rest = element('p', { class: 'muted small', role: 'status', hidden: true });
  const none = element('p', { class: 'muted' }, 'There is no other log that you may open.');
  const show = lister(logs, rows, where, rest);
  if (count) show([]);
  const form = element(
    'form',
    { method: 'dialog' },
    element('h2', { id: 'pick-title' }, 'Add logs to this view'),
    filterOf(show, count <= LITTLE),
    element('div', { class: 'picks' }, ...(count ? [where, rest] : [none])),
    fault,
    element(
      'div',
      { class: 'choices' },
      element('button', { type: 'button', onclick: ({ target }) => target.closest('dialog').close() }, 'Cancel'),
      element('button', { class: 'primary', value: 'add', disabled: !count }, 'Add'),
    ),
  );
  return element('dialog', { 'aria-labelledby': 'pick-title', class: 'picking' }, form);
}

function filterOf(show, hidden) {
  const filter = element('input', {
    type: 'search',
    hidden,
    'aria-label': 'Filter logs',
    placeholder: 'Filter: host, log, label',
    autocomplete: 'off',
    spellcheck: 'false',
    oninput: () => show(wordsOf(filter.value)),
    onkeydown: (event) => {
      if (event.key === 'Enter') event.preventDefault(); // nothing is added by it
    },
  });
  return filter;
}
