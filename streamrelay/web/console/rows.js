// The rows of the list of hosts, from top to bottom: what is pinned, was opened not long ago, is up, and is down.

import { parts } from './patterns.js';
import { found } from './search.js';

/** So many hosts are shown open. */
export const FEW = 12;

/** Whether a host may keep terminals on these targets. */
export const keeps = (state, targets) => state !== 'down' && targets.some(({ keep }) => keep > 0);

/**
 * The rows of a tree, and how many hosts were found. Each has an `id`, a `kind` (section, host, target, terminals, note, form), and
 * where it is: its `level` (from 1), `place` of `size` rows of its parent, and whether it is `open` (undefined: it can't be).
 * The first host below what is kept stands `apart`.
 *
 * `list` are all hosts, `words` those that are looked for; `pinned` and `recent` as `Kept` has them; `known(host)` is an
 * entry of the list, `find(host, name)` what is known of a target; `isOpen(id, otherwise)` whether a row is open, if somebody
 * has chosen that. Of more than `most` hosts the others have no rows.
 */
export function rowsOf({ list, words, pinned, recent, known, find, isOpen, most = Infinity }) {
  const all = words.length ? list.flatMap((entry) => fitting(entry, words)) : list.map((entry) => ({ entry }));
  const few = all.length <= FEW;
  const host = ({ entry, targets = entry.targets, byTarget = false }) => {
    const otherwise = words.length ? byTarget || few : entry.state === 'down' ? false : undefined;
    return hostRow(entry, targets, isOpen(entry.host, otherwise), isOpen);
  };
  const [up, down] = parted(all.length > most ? all.slice(0, most) : all);
  const kept = { known, find, isOpen };
  const top = [
    ...(words.length ? [] : section('/pinned', 'Pinned', keptRows('/pinned/', pinned, kept), isOpen, true)),
    ...(words.length ? [] : section('/recent', 'Recently opened', keptRows('/recent/', recent, kept), isOpen, true)),
  ];
  const hosts = up.map(host);
  if (top.length && hosts.length) hosts[0].apart = true;
  const isDownOpen = (words.length ? down.length : list.length) <= FEW;
  const tree = [...top, ...hosts, ...section('/down', 'Down', down.map(host), isOpen, isDownOpen)];
  return { rows: flatten(tree, 1, []), count: all.length };
}

/** Those that are up, and those that are down. */
function parted(all) {
  const down = all.filter(({ entry }) => entry.state === 'down');
  return [down.length ? all.filter(({ entry }) => entry.state !== 'down') : all, down];
}

function fitting(entry, words) {
  const part = found(entry, words);
  return part ? [{ entry, ...part }] : [];
}

/** A row; `inner` gives those below it, if it is open. All have the same fields, which makes ten thousands of them cheap. */
function row(id, kind, open, inner, more) {
  const { entry, host, target, pin, where = '', label, count, of } = more;
  return {
    id,
    kind,
    open,
    inner,
    level: 0,
    place: 0,
    size: 0,
    apart: false,
    entry,
    host,
    target,
    pin,
    where,
    label,
    count,
    of,
  };
}

/** A heading and what is below it; nothing if nothing is. */
function section(id, label, rows, isOpen, otherwise) {
  return rows.length ? [row(id, 'section', isOpen(id, otherwise), () => rows, { label, count: rows.length })] : [];
}

function hostRow(entry, targets, open, isOpen, prefix = '') {
  const id = prefix + entry.host;
  const inner = () => {
    const rows = targets.map((target) => targetRow(entry.host, target, isOpen, prefix));
    if (keeps(entry.state, targets))
      rows.push(row(`${id}//terminals`, 'terminals', undefined, null, { host: entry.host }));
    if (entry.complete === false) rows.push(row(`${id}//more`, 'note', undefined, null, {}));
    return rows;
  };
  return row(id, 'host', open, inner, { entry, pin: { host: entry.host, target: undefined } });
}

function targetRow(host, target, isOpen, prefix, where = '') {
  const id = `${prefix}${host}/${target.name}`;
  const about = { host, target, where, pin: { host, target: target.name } };
  if (!target.name.includes('{') || !parts(target.name).length) return row(id, 'target', undefined, null, about);
  return row(
    id,
    'target',
    isOpen(id, false),
    () => [row(`${id}//form`, 'form', undefined, null, { ...about, of: id })],
    about,
  );
}

/** Those of what is kept that are in the list. */
function keptRows(prefix, all, { known, find, isOpen }) {
  return all.flatMap(({ host, target: name }) => {
    const entry = known(host);
    if (name === undefined)
      return entry ? [hostRow(entry, entry.targets, isOpen(prefix + host, false), isOpen, prefix)] : [];
    const target = find(host, name);
    return target ? [targetRow(host, { ...target, name }, isOpen, prefix, host)] : [];
  });
}

/** Rows one below the other, those that are open with theirs. */
function flatten(rows, level, all) {
  for (let at = 0; at < rows.length; at += 1) {
    const one = rows[at];
    one.level = level;
    one.place = at + 1;
    one.size = rows.length;
    all.push(one);
    if (one.open && one.inner) flatten(one.inner(), level + 1, all);
  }
  return all;
}
