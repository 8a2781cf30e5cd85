// What the console makes of kept terminals: tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';

import { keep, keptOf, some } from '../../streamrelay/web/console/attached.js';
import { rowsOf } from '../../streamrelay/web/console/rows.js';
import { moreOf, stateOf } from '../../streamrelay/web/console/terminals.js';
import { isAnswer } from '../../streamrelay/web/viewers/terminal-answers.js';
import { peopleWords } from '../../streamrelay/web/viewers/terminal-company.js';

const ID = 'ThkEYWlKvRBmZ2Zt8cNqUA';
const one = (more = {}) => ({ host: 'web-1', target: 'shell', terminal: ID, looks: false, ...more });

/** A browser's storage of one tab. */
function storage() {
  const kept = new Map();
  const made = {
    refuses: false,
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, text) => {
      if (made.refuses) throw new Error('full');
      kept.set(name, text);
    },
    removeItem: (name) => kept.delete(name),
  };
  globalThis.sessionStorage = made;
  return kept;
}

/** A page that is loaded again finds its user's terminals, and nothing else of them is kept. */
export function terminals_are_found_again() {
  const kept = storage();
  keep('ann', [one({ secret: 'x' }), one({ looks: true, target: 'db/psql' })]);
  assert(!JSON.stringify([...kept]).includes('secret'));
  assert.deepEqual(keptOf('ann'), { all: [one(), one({ looks: true, target: 'db/psql' })], others: false });
  assert(some());
  keep('ann', []);
  assert.deepEqual([keptOf('ann'), some(), kept.size], [{ all: [], others: false }, false, 0]);
}

/** Another user hears that there were some, and gets none of them. */
export function terminals_of_others_are_not_shown() {
  storage();
  keep('ann', [one()]);
  assert.deepEqual(keptOf('bob'), { all: [], others: true });
  assert.deepEqual(keptOf('ann').all, [one()]);
}

/** What else stands in the storage is none of them, and a browser without one keeps none. */
export function storage_is_not_trusted() {
  const kept = storage();
  const names = [{ host: '../x' }, { target: '' }, { terminal: `${ID}x` }, { terminal: 7 }, { host: null }];
  for (const text of ['', '7', 'null', '{', '[]', '{"user":"ann","all":7}', '{"user":7,"all":[]}']) {
    kept.set('terminals', text);
    assert.deepEqual(keptOf('ann').all, [], text);
  }
  const all = [...names.map(one), null, 7, one(), ...Array.from({ length: 60 }, () => one())];
  kept.set('terminals', JSON.stringify({ user: 'ann', all }));
  assert.deepEqual(keptOf('ann').all.length, 50 - names.length - 2);
  sessionStorage.refuses = true;
  keep('ann', [one()]);
  delete globalThis.sessionStorage;
  keep('ann', [one()]);
  assert.deepEqual(keptOf('ann'), { all: [], others: false });
}

const person = (user, view = false) => ({ user, view });

/** Who is there is told by name and by what they may do; who sits here isn't, but once more in another window. */
export function people_are_told() {
  const words = (people, others = 0, me = 'ann', view = false) => peopleWords(people, others, me, view);
  assert.equal(words([person('ann')]), 'Nobody else is here.');
  assert.equal(words([person('ann'), person('bob', true)]), 'Also here: bob (looks only)');
  assert.equal(words([person('ann'), person('ann')]), 'Also here: you, in another window (types)');
  assert.equal(
    words([person('ann'), person('ann', true)], 0, 'ann', true),
    'Also here: you, in another window (types)',
  );
  assert.equal(words([person('bob'), person('')], 0, ''), 'Also here: bob (types)');
  const six = ['a', 'b', 'c', 'd', 'e', 'f'].map((user) => person(user));
  assert.equal(words([person('ann'), ...six], 3), 'Also here: a (types), b (types), c (types), d (types) and 5 more');
  assert.equal(words([person('ann')], 2), 'Also here: 2 more');
  const often = [...['ann', 'ann', 'ann', 'bob', 'bob'].map((user) => person(user)), person('bob', true)];
  const windows = 'you, in 2 other windows (types), bob, in 2 windows (types), bob (looks only)';
  assert.equal(words(often), `Also here: ${windows}`);
}

/** A list says how a terminal stands, whose it is, since when, and who is there. */
export function terminals_are_described() {
  const two = [{ ...person('bob', true), stream: 's' }, person('ann')];
  const about = { user: 'ann', seconds: 18_000, people: [], size: [80, 24] };
  assert.equal(stateOf({ ...about, detached: 10_800 }), 'detached, 3 h');
  assert.equal(stateOf({ ...about, people: two }), '2 attached');
  assert.equal(stateOf({ ...about, people: two.slice(1) }), '1 attached');
  assert.equal(moreOf(about, 'ann'), 'started by you 5 h ago · 80 × 24');
  const there = 'started by ann 5 h ago · 80 × 24 · there: you (looks only), ann';
  assert.equal(moreOf({ ...about, people: two }, 'bob'), there);
  assert.equal(moreOf({ ...about, user: '', size: undefined }, ''), 'started by a user who is not named 5 h ago');
}

/** What a terminal answers by itself is told from what is typed or pasted. */
export function answers_are_told_from_keys() {
  const answers = [
    '\x1b[?62;4c',
    '\x1b[>0;276;0c',
    '\x1b[0n',
    '\x1b[12;40R',
    '\x1b[?12;40R',
    '\x1b[?2026;2$y',
    '\x1b[I',
    '\x1b[O',
  ];
  answers.push(
    '\x1b]11;rgb:1414/1717/1a1a\x1b\\',
    '\x1b]10;rgb:0/0/0\x07',
    '\x1bP1$r0m\x1b\\',
    '\x1b[I\x1b[0n',
    '\x1b[8;24;80t',
  );
  for (const text of answers) assert(isAnswer(text), JSON.stringify(text));
  const keys = [
    '',
    'a',
    '\r',
    '\x1b',
    '\x1b[A',
    '\x1bOP',
    '\x1b[15~',
    '\x1b[1;5C',
    '\x1b[200~\x1b[0n\x1b[201~',
    '\x1b[<0;3;4M',
    '\x1bn',
    'x\x1b[0n',
  ];
  for (const text of keys) assert(!isAnswer(text), JSON.stringify(text));
}

/** Which hosts have a row that leads to kept terminals: those that are up, and keep those of a target. */
export function hosts_that_keep_terminals_have_a_row() {
  const target = (name, keeps) => ({
    name,
    kind: 'pty',
    viewer: 'terminal',
    view: false,
    ...(keeps && { keep: keeps }),
  });
  const hosts = [
    { host: 'a', state: 'up', labels: {}, targets: [target('shell', 3600)] },
    { host: 'b', state: 'up', labels: {}, targets: [target('shell')] },
    { host: 'c', state: 'down', labels: {}, targets: [target('shell', 60)] },
  ];
  const about = {
    words: [],
    pinned: [],
    recent: [],
    known: () => undefined,
    find: () => undefined,
    isOpen: () => true,
  };
  const { rows } = rowsOf({ list: hosts, ...about });
  assert.deepEqual(
    rows.filter(({ kind }) => kind === 'terminals').map(({ host }) => host),
    ['a'],
  );
}
