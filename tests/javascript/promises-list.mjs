// What the console's list of hosts shows, and keeps: tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';

import { Kept } from '../../streamrelay/web/console/kept.js';
import { rowsOf } from '../../streamrelay/web/console/rows.js';
import { found, wordsOf } from '../../streamrelay/web/console/search.js';
import { ago } from '../../streamrelay/web/console/times.js';

const target = (name) => ({ name, kind: 'log', viewer: 'log', view: false });
const entry = (host, more = {}) => ({
  ...{ host, state: 'up', seen: null, version: '1', labels: {}, complete: true },
  targets: [target('app/log'), target('shell')],
  ...more,
});
const ids = ({ rows }) => rows.map(({ id }) => id);

/** The rows of a list in which nothing is open but what is named. */
function rows(list, { text = '', open = [], pinned = [], recent = [], ...more } = {}) {
  const known = (host) => list.find((one) => one.host === host);
  const find = (host, name) => known(host)?.targets.find((one) => one.name === name);
  const isOpen = (id, otherwise) => open.includes(id) || (otherwise ?? false);
  return rowsOf({ list, words: wordsOf(text), pinned, recent, known, find, isOpen, ...more });
}

export function all_words_must_be_in_names_and_labels() {
  const one = entry('Web-1', { labels: { site: 'fra', 'rack-row': 'R7' } });
  const targets = (text) => found(one, wordsOf(text))?.targets.map(({ name }) => name) ?? null;
  assert.deepEqual(targets('WEB fra'), ['app/log', 'shell']);
  assert.deepEqual(targets(' site=fra   rack-row=r7 '), ['app/log', 'shell']);
  assert.deepEqual(targets('web-1 r7 shell'), ['shell']);
  assert.deepEqual(
    [targets('web-2'), targets('fra log shell'), targets('site=fr a')],
    [null, null, ['app/log', 'shell']],
  );
  assert.deepEqual([targets('fra\nrack'), targets('1site')], [['app/log', 'shell'], null]); // no word goes over two of them
  assert.deepEqual(wordsOf(' a A  b '), ['a', 'b']);
  assert.equal(wordsOf(Array.from({ length: 99 }, (_, at) => at).join(' ')).length, 16);
}

export function rows_tell_their_places_and_hosts_that_are_down_stand_below_one_row() {
  const many = Array.from({ length: 20 }, (_, at) => entry(`web-${at}`, at % 10 === 3 ? { state: 'down' } : {}));
  const shown = rows(many, { open: ['web-1', '/down'] });
  assert.deepEqual(ids(shown).slice(0, 5), ['web-0', 'web-1', 'web-1/app/log', 'web-1/shell', 'web-2']);
  assert.deepEqual(ids(shown).slice(-3), ['/down', 'web-3', 'web-13']);
  const places = shown.rows.map(({ id, level, place, size, open }) => [id, level, place, size, open]);
  assert.deepEqual(places[1], ['web-1', 1, 2, 19, true]);
  assert.deepEqual(places[3], ['web-1/shell', 2, 2, 2, undefined]);
  assert.deepEqual(places.at(-1), ['web-13', 2, 2, 2, false]);
  assert.equal(ids(rows(many)).at(-1), '/down'); // it is closed
  assert.deepEqual(ids(rows(many.slice(0, 4))).slice(-2), ['/down', 'web-3']); // but for few hosts
  const cut = rows([entry('a', { complete: false })], { open: ['a'] });
  assert.deepEqual(cut.rows.at(-1).kind, 'note');
}

export function found_hosts_are_open_where_their_targets_fit_or_they_are_few() {
  const many = Array.from({ length: 20 }, (_, at) => entry(`web-${at}`, { labels: { site: at < 12 ? 'fra' : 'ams' } }));
  assert.equal(rows(many, { text: 'web' }).rows.length, 20);
  assert.equal(rows(many, { text: 'shell' }).rows.length, 40);
  assert.equal(rows(many, { text: 'fra' }).rows.length, 36);
  const part = rows(many, { text: 'web shell', most: 5 });
  assert.deepEqual([part.rows.length, part.count], [10, 20]);
  const kept = { pinned: [{ host: 'web-1', target: undefined }] };
  assert.equal(ids(rows(many, kept))[0], '/pinned');
  assert.equal(ids(rows(many, { ...kept, text: 'web-1' }))[0], 'web-1'); // found once
}

export function pins_and_what_was_opened_stand_above_while_they_are_there() {
  const list = [entry('web-1'), entry('web-2', { targets: [target('logs/{name}')] })];
  const kept = {
    pinned: [
      { host: 'web-2' },
      { host: 'gone' },
      { host: 'web-1', target: 'shell' },
      { host: 'web-1', target: 'gone' },
    ],
    recent: [{ host: 'web-1', target: 'app/log' }],
  };
  const shown = rows(list, { ...kept, open: ['/pinned/web-2', '/pinned/web-2/logs/{name}'] });
  assert.deepEqual(ids(shown).slice(0, 7), [
    ...['/pinned', '/pinned/web-2', '/pinned/web-2/logs/{name}', '/pinned/web-2/logs/{name}//form'],
    ...['/pinned/web-1/shell', '/recent', '/recent/web-1/app/log'],
  ]);
  assert.deepEqual([shown.rows[4].where, shown.rows[3].of], ['web-1', '/pinned/web-2/logs/{name}']);
  assert.deepEqual(
    shown.rows.filter(({ apart }) => apart).map(({ id }) => id),
    ['web-1'],
  );
}

/** A browser's storage, which may refuse. */
function storage() {
  const all = new Map();
  const here = new EventTarget();
  globalThis.addEventListener = here.addEventListener.bind(here);
  globalThis.localStorage = {
    refuses: false,
    getItem: (key) => all.get(key) ?? null,
    setItem(key, text) {
      if (this.refuses) throw new DOMException('full');
      all.set(key, text);
    },
    removeItem: (key) => all.delete(key),
  };
  return { all, here };
}

export function names_are_kept_for_each_user_within_bounds_and_forgotten() {
  const { all } = storage();
  const kept = new Kept();
  for (const user of ['a', 'b', 'c', 'd', 'e', 'f']) {
    kept.of(user);
    assert.deepEqual([kept.pinned, kept.recent], [[], []]);
    for (let number = 0; number < 7; number += 1) kept.opened({ host: `web-${number}`, target: 'log' });
  }
  assert.deepEqual(Object.keys(JSON.parse(all.get('hosts'))), ['b', 'c', 'd', 'e', 'f']);
  kept.of('c');
  assert.deepEqual(
    kept.recent.map(({ host }) => host),
    ['web-6', 'web-5', 'web-4', 'web-3', 'web-2'],
  );
  for (let number = 0; number < 20; number += 1)
    assert.equal(kept.pin({ host: `web-${number}`, target: undefined }), '');
  assert.equal(kept.pin({ host: 'web-20', target: undefined }), 'at most 20 can be pinned');
  assert.equal(kept.pin({ host: 'web-3', target: undefined }), '');
  assert.deepEqual([kept.pinned.length, kept.isPinned({ host: 'web-3', target: undefined })], [19, false]);
  kept.forget();
  assert.deepEqual(Object.keys(JSON.parse(all.get('hosts'))), ['b', 'd', 'e', 'f']);
  for (const user of ['b', 'd', 'e', 'f']) {
    kept.of(user);
    kept.forget();
  }
  assert.equal(all.size, 0);
}

export function storage_that_others_have_written_or_that_refuses_is_no_trouble() {
  const { all, here } = storage();
  const kept = new Kept();
  for (const text of [
    '',
    'null',
    '7',
    '[]',
    '{"a":null}',
    '{"a":{"pinned":7}}',
    '{"a":{"pinned":[7,[],["x",7],["<","y"]]}}',
  ]) {
    all.set('hosts', text);
    kept.of('a');
    assert.deepEqual([kept.pinned, kept.recent], [[], []], text);
  }
  for (const user of ['constructor', '__proto__']) {
    kept.of(user);
    assert.deepEqual(kept.pinned, []);
    kept.pin({ host: 'web-1', target: 'logs/{name}' });
    kept.of(user);
    assert.deepEqual(kept.pinned, [{ host: 'web-1', target: 'logs/{name}' }]);
  }
  kept.of('a');
  all.set('hosts', '{"a":{"pinned":[["web-7",""]]}}');
  here.dispatchEvent(Object.assign(new Event('storage'), { key: 'hosts' })); // another page has pinned it
  assert.deepEqual(kept.pinned, [{ host: 'web-7', target: undefined }]);
  localStorage.refuses = true;
  kept.pin({ host: 'web-8', target: undefined });
  assert.equal(kept.pinned.length, 2);
}

export function times_are_told_in_words() {
  const told = [0, 59, 60, 3599, 3600, 86_399, 86_400, 90_000_000, -5].map((seconds) => ago(1000, 1000 + seconds));
  assert.deepEqual(told, [
    ...['just now', 'just now', '1 min ago', '59 min ago', '1 h ago', '23 h ago', '1 d ago', '1,041 d ago', 'just now'],
  ]);
}
