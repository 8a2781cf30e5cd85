// What the rows of the list of hosts look like, and what they say to screen readers.

import { element, icon, iconButton, setIcon, write } from './dom.js';
import { partsForm } from './patterns.js';
import { labelsOf, labelsWith, marked } from './search.js';
import { ago, moment } from './times.js';
import { iconOf, kindOf } from './viewers.js';

const LABELS = 3; // of those that are looked for
const KINDS = { section, host, target, terminals, note, form };

/**
 * The element of a row, with `update(row)`. `about` has what rows don't: the `words` that are looked for, `isOpen(host,
 * target)` of tabs ("selected", "open" or ""), `isPinned(pin)`, and `fill(row, name)`, which opens a target of a pattern.
 */
export function rowElement(row, about) {
  return KINDS[row.kind](about, row);
}

function item(kind, ...children) {
  return element('div', { role: 'treeitem', class: `row ${kind}` }, ...children);
}

function put(made, { level, place, size, open }) {
  made.ariaLevel = String(level);
  made.ariaPosInSet = String(place);
  made.ariaSetSize = String(size);
  made.ariaExpanded = open === undefined ? null : String(open);
}

function section() {
  const label = element('span', {});
  const count = element('span', { class: 'count' });
  const made = item('section', icon('down'), label, ' ', count);
  const update = (row) => {
    put(made, row);
    write(label, row.label);
    write(count, row.count.toLocaleString('en'));
  };
  return { element: made, update };
}

function host(about) {
  const name = element('span', { class: 'name' });
  const more = element('span', { class: 'more' });
  const tag = element('span', { class: 'tag' }, 'no answer');
  const pin = pinButton();
  const made = item(
    'host',
    icon('down'),
    icon('host'),
    element('span', { class: 'what' }, name, ' ', more),
    ' ',
    tag,
    pin,
  );
  const update = (row) => {
    const { host, state, seen } = row.entry;
    const labels = labelsWith(row.entry, about.words).slice(0, LABELS).join(' ');
    const last = state === 'down' ? `last seen ${seen ? ago(seen, Date.now() / 1000) : 'long ago'}` : '';
    put(made, row);
    made.dataset.state = state;
    made.classList.toggle('apart', row.apart === true);
    made.title = factsOf(row.entry);
    made.ariaLabel = [host, labels, labels && last && '·', last, state === 'silent' && 'no answer']
      .filter(Boolean)
      .join(' ');
    name.replaceChildren(...marked(host, about.words));
    more.replaceChildren(...marked(labels, about.words), labels && last ? ' · ' : '', last);
    more.hidden = !labels && !last;
    tag.hidden = state !== 'silent';
    showPin(pin, about.isPinned(row.pin));
  };
  return { element: made, update };
}

/** What is known of a host, for who points at it. */
function factsOf(entry) {
  const { state, seen, version, address } = entry;
  const heard = state !== 'up' && seen ? `last heard of ${moment(seen)}` : '';
  return [version && `streamrelay ${version}`, address, ...labelsOf(entry), heard].filter(Boolean).join('\n');
}

function target(about) {
  const sign = icon('');
  const name = element('span', { class: 'name' });
  const where = element('span', { class: 'where' });
  const only = element('span', { class: 'only', title: 'You may look, not touch' }, icon('eye'));
  const kind = element('span', { class: 'kind' });
  const pin = pinButton();
  const made = item('target', sign, element('span', { class: 'what' }, name, ' ', where), only, ' ', kind, pin);
  const update = (row) => {
    const open = row.open === undefined ? about.isOpen(row.host, row.target.name) : '';
    put(made, row);
    made.dataset.open = open;
    made.classList.toggle('kept', row.where !== '');
    made.ariaCurrent = open === 'selected' ? 'true' : null;
    made.title = row.target.name;
    const seen = [row.target.name, row.where, kindOf(row.target)].filter(Boolean).join(' ');
    made.ariaLabel = [seen, row.target.view && 'view only', open && 'open'].filter(Boolean).join(', ');
    setIcon(sign, iconOf(row.target));
    name.replaceChildren(...marked(row.target.name, about.words));
    where.replaceChildren(...marked(row.where, []));
    only.hidden = !row.target.view;
    write(kind, kindOf(row.target));
    showPin(pin, about.isPinned(row.pin));
  };
  return { element: made, update };
}

function terminals() {
  const made = item('terminals', icon('again'), element('span', { class: 'what' }, 'Kept terminals …'));
  const update = (row) => {
    put(made, row);
    made.title = `What runs on at ${row.host}, be somebody there or not`;
  };
  return { element: made, update };
}

function note() {
  const made = item('note', 'There are more targets. A link opens each by its name.');
  return { element: made, update: (row) => put(made, row) };
}

function form(about, row) {
  const { name } = row.target;
  const made = item(
    'form',
    partsForm(name, (filled) => about.fill(row, filled)),
  );
  return { element: made, update: (now) => put(made, now) };
}

/** For pointers; by keys it is P. */
function pinButton() {
  const button = iconButton('pin', 'Pin');
  button.classList.add('pin');
  button.tabIndex = -1;
  return button;
}

function showPin(button, isPinned) {
  button.ariaPressed = String(isPinned);
  button.title = isPinned ? 'Unpin (P)' : 'Pin on top of the list (P)';
}
