// The list of hosts and their targets beside the tabs.

import { several } from '../log/several.js';
import { $, element, icon, keepInStep, sentence, write } from './dom.js';
import { fill, parts } from './patterns.js';
import { foresee, iconOf, kindOf, listed } from './viewers.js';

const FEW = 8; // targets that need no filter
const MANY = 12; // hosts that are shown closed at first

/** `choose(host, name, target)` opens a target; `isOpen(host, name)` is "selected", "open" or "". */
export class Sidebar {
  #hosts;
  #choose;
  #isOpen;
  #shown = new Map();

  constructor(hosts, choose, isOpen) {
    this.#hosts = hosts;
    this.#choose = choose;
    this.#isOpen = isOpen;
    hosts.addEventListener('change', () => this.show());
    $('filter').addEventListener('input', () => this.show());
  }

  show() {
    const { list, trouble } = this.#hosts;
    const all = list ?? [];
    const words = $('filter').value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const found = all.map((one) => filtered(one, words)).filter(({ targets }) => targets.length);
    const focus = $('hosts-list').contains(document.activeElement);
    keepInStep(
      $('hosts-list'),
      this.#shown,
      found,
      ({ host }) => host,
      ({ host }) => this.#host(host),
    );
    if (focus && !$('hosts-list').contains(document.activeElement)) $('hosts').focus(); // what had it has gone
    for (const { details } of this.#shown.values()) if (words.length) details.open = true;
    $('filter-box').hidden = !words.length && all.reduce((sum, { targets }) => sum + targets.length, 0) <= FEW;
    write($('status'), list ? count(all.filter(({ away }) => !away).length) : '');
    tellTrouble(trouble);
    this.#empty(list, found, trouble);
  }

  #empty(list, found, trouble) {
    const box = $('hosts-empty');
    const state = list ? (found.length ? '' : list.length ? 'filtered' : 'none') : trouble ? '' : 'loading';
    box.hidden = !state;
    if (box.dataset.state === state) return;
    box.dataset.state = state;
    box.replaceChildren(
      ...({
        none: () => [
          element('h3', {}, 'No host is up'),
          element('p', {}, 'One appears as soon as its agent is connected, if you may open something on it.'),
        ],
        filtered: () => [
          element('p', {}, 'Nothing here has such a name.'),
          element('button', { type: 'button', onclick: () => this.#unfilter() }, 'Show all'),
        ],
        loading: () => [
          element('p', { class: 'visually-hidden' }, 'Looking for hosts …'),
          ...['a', 'b', 'c'].map((one) => element('div', { class: `bone ${one}` })),
        ],
      }[state]?.() ?? []),
    );
  }

  #unfilter() {
    $('filter').value = '';
    this.show();
    $('filter').focus();
  }

  #host(host) {
    const items = element('ul', {});
    const away = element('span', { class: 'tag', hidden: true }, 'no answer');
    const name = element('span', { class: 'name' }, ...broken(host));
    const summary = element('summary', {}, icon('down'), icon('host'), name, away);
    const cut = element('p', { class: 'cut', hidden: true }, 'There are more targets. A link opens each by its name.');
    const details = element('details', { open: (this.#hosts.list?.length ?? 0) <= MANY }, summary, items, cut);
    const shown = new Map();
    const update = ({ targets, away: gone, version, complete }) => {
      away.hidden = !gone;
      cut.hidden = complete !== false;
      summary.title = version ? `streamrelay ${version}` : '';
      keepInStep(
        items,
        shown,
        targets,
        ({ name, kind, viewer }) => `${name} ${kind} ${viewer}`,
        (target) => this.#target(host, target),
      );
    };
    return { element: element('li', { class: 'host' }, details), details, update };
  }

  #target(host, target) {
    const { name } = target;
    const only = element(
      'span',
      { class: 'only', title: 'You may look, not touch' },
      icon('eye'),
      element('span', { class: 'visually-hidden' }, 'view only'),
    );
    const button = element(
      'button',
      { type: 'button', class: 'target', title: name },
      icon(iconOf(target)),
      element('span', { class: 'name' }, ...broken(name)),
      only,
      element('span', { class: 'kind' }, kindOf(target)),
    );
    listed(target);
    for (const sign of ['pointerenter', 'focus']) button.addEventListener(sign, () => foresee(target), { once: true });
    const item = element('li', {}, button);
    if (parts(name).length) askParts(item, button, name, (filled) => this.#choose(host, filled, target));
    else button.addEventListener('click', () => this.#choose(host, name, target));
    const update = ({ view }) => {
      only.hidden = !view;
      const state = parts(name).length ? '' : this.#isOpen(host, name);
      button.dataset.open = state;
      if (state === 'selected') button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    };
    return { element: item, update };
  }
}

/** Why there may be no list, or an old one; empty: nothing is wrong. */
export function tellTrouble(trouble) {
  if (!trouble && $('try-now') === document.activeElement) $('hosts').focus(); // the button that was pressed goes
  $('trouble-box').hidden = !trouble;
  write($('trouble'), trouble && `${sentence(trouble)} Trying again …`);
}

/** A name that may be broken behind its slashes and dots. */
function broken(name) {
  return name.split(/(?<=[/.])/).flatMap((part, place) => (place ? [element('wbr'), part] : [part]));
}

function filtered(one, words) {
  const has = (text) => words.every((word) => text.toLowerCase().includes(word));
  return has(one.host) ? one : { ...one, targets: one.targets.filter(({ name }) => has(`${one.host} ${name}`)) };
}

const count = (hosts) => `${several(hosts, 'host')} up`;

/** The button of a pattern opens and closes a small form that asks for its parts. */
function askParts(item, button, pattern, choose) {
  const fields = parts(pattern).map((part) =>
    element(
      'label',
      {},
      part,
      element('input', { name: part, required: true, autocomplete: 'off', autocapitalize: 'off', spellcheck: 'false' }),
    ),
  );
  const form = element(
    'form',
    { class: 'parts', 'aria-label': pattern, hidden: true },
    ...fields,
    element('button', {}, 'Open'),
  );
  const toggle = (open) => {
    form.hidden = !open;
    button.setAttribute('aria-expanded', String(open));
    if (open) form.querySelector('input').focus();
  };
  toggle(false);
  button.addEventListener('click', () => toggle(form.hidden));
  form.addEventListener('keydown', (event) => {
    if (event.key !== 'Escape') return;
    toggle(false);
    button.focus();
  });
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    choose(fill(pattern, Object.fromEntries(new FormData(form))));
  });
  item.append(form);
}
