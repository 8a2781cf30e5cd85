// Which size a terminal is drawn with, in the console: tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';
import { mock } from 'node:test';

import { Size } from '../../streamrelay/web/viewers/terminal-size.js';

/** What run-each.mjs does after each of them. */
export const reset = () => mock.reset();

/** A terminal in a window of so many columns and rows by its usual text, which holds more by a smaller one; of so many
    columns as `rounded` says while it has these. */
function sized(columns, rows, rounded = null) {
  const window = { columns, rows, clientWidth: 10 * columns, clientHeight: 20 * rows };
  const terminal = {
    options: { fontSize: 14 },
    cols: 80,
    rows: 24,
    resize(cols, rows) {
      Object.assign(terminal, { cols, rows });
    },
  };
  const at = (cells) => Math.floor((cells * 14) / terminal.options.fontSize);
  const proposeDimensions = () => ({
    cols: at(rounded ? rounded(terminal.cols) : window.columns),
    rows: at(window.rows),
  });
  const classes = new Set();
  window.classList = { toggle: (name, on) => (on ? classes.add(name) : classes.delete(name)) };
  const [told, changes] = [[], []];
  const acts = { tell: (...size) => told.push(size), changed: () => changes.push(size.others) };
  const size = new Size(terminal, { proposeDimensions }, window, acts);
  return { size, terminal, window, told, changes, classes };
}

const drawn = ({ terminal }) => [terminal.cols, terminal.rows];

/** An ordinary terminal fits its window and says so, once for each size. */
export function size_is_that_of_the_window() {
  const all = sized(100, 30);
  all.size.begin();
  all.window.clientWidth += 3;
  all.size.look();
  assert.deepEqual([drawn(all), all.told], [[100, 30], [[100, 30]]]);
  Object.assign(all.window, { rows: 20, clientHeight: 400 });
  all.size.look();
  assert.deepEqual(all.told, [
    [100, 30],
    [100, 20],
  ]);
  all.window.clientWidth = 0; // hidden
  all.size.look();
  assert.equal(all.told.length, 2);
}

/** One that is attached to is drawn with the size that it has first, and gets ours only once all of that is there. */
export function size_of_an_attached_terminal_comes_first() {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const all = sized(100, 30);
  all.size.begin({ kept: true });
  all.size.given([120, 40]);
  assert.deepEqual([drawn(all), all.told], [[120, 40], []]);
  for (let piece = 0; piece < 5; piece += 1) {
    all.size.drawn();
    mock.timers.tick(50);
  }
  assert.deepEqual(all.told, []);
  mock.timers.tick(20);
  assert.deepEqual([drawn(all), all.told, all.changes], [[100, 30], [[100, 30]], [[120, 40], null]]);
}

/** Where a cell is as wide as all columns there are, rounded, make it, a size that others had doesn't make ours a smaller one. */
export function size_is_that_of_its_own_columns() {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const all = sized(116, 36, (cols) => (cols === 46 ? 115 : 116));
  all.size.begin({ kept: true });
  all.size.drawn();
  mock.timers.tick(100);
  assert.deepEqual(all.told, [[116, 36]]);
  all.size.given([46, 33]);
  all.size.typed();
  assert.deepEqual([drawn(all), all.told.at(-1), all.size.others], [[116, 36], [116, 36], null]);
  all.size.given([46, 33]);
  all.size.given([116, 36]); // of another window of our size
  assert.deepEqual([drawn(all), all.size.others], [[116, 36], null]);
}

/** A program that goes on and on doesn't keep ours away. */
export function size_does_not_wait_for_ever() {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const all = sized(100, 30);
  all.size.begin({ kept: true });
  for (let piece = 0; piece < 20; piece += 1) {
    all.size.drawn();
    mock.timers.tick(50);
  }
  assert.deepEqual(all.told, [[100, 30]]);
}

/** Attached, in a window of 100 by 30. */
function attached(more = {}) {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const all = sized(100, 30);
  all.size.begin({ kept: true, ...more });
  all.size.given([100, 30]);
  all.size.drawn();
  mock.timers.tick(1000);
  return all;
}

/** Somebody else's size is drawn, in letters as small as needed; who types here has theirs back, and says so. */
export function size_is_whose_who_types() {
  const all = attached();
  assert.deepEqual([all.told, all.changes, [...all.classes]], [[[100, 30]], [], []]);
  all.size.given([150, 30]);
  assert.deepEqual([drawn(all), all.terminal.options.fontSize, [...all.classes]], [[150, 30], 9, ['others']]);
  all.size.look(); // nothing of the window has changed
  assert.deepEqual([drawn(all), all.told.length], [[150, 30], 1]);
  all.size.typed();
  all.size.typed();
  assert.deepEqual([drawn(all), all.terminal.options.fontSize, all.told.length], [[100, 30], 14, 2]);
  assert.deepEqual(all.changes, [[150, 30], null]);
  all.size.given([1000, 30]);
  assert.equal(all.terminal.options.fontSize, 8); // no smaller: it scrolls
  Object.assign(all.window, { columns: 90, clientWidth: 900 }); // a window that is made another size counts
  all.size.look();
  assert.deepEqual(
    [drawn(all), all.told.at(-1)],
    [
      [90, 30],
      [90, 30],
    ],
  );
}

/** Who only looks has the size of others whatever they do, and says none. */
export function size_of_who_looks_never_counts() {
  const all = attached({ view: true });
  all.size.given([150, 40]);
  all.size.typed();
  Object.assign(all.window, { columns: 90, clientWidth: 900 });
  all.size.look();
  all.size.zoom(2);
  assert.deepEqual([drawn(all), all.told], [[150, 40], []]);
}

/** A tab that is hidden gives no size, until it is seen. */
export function size_of_a_hidden_tab_does_not_count() {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const all = sized(100, 30);
  const { clientWidth } = all.window;
  all.window.clientWidth = 0;
  all.size.begin({ kept: true });
  all.size.given([150, 30]);
  all.size.drawn();
  mock.timers.tick(1000);
  assert.deepEqual([drawn(all), all.told], [[150, 30], []]);
  all.window.clientWidth = clientWidth;
  all.size.look();
  assert.deepEqual([drawn(all), all.told], [[100, 30], [[100, 30]]]);
}

/** A kept terminal has at most 500 columns and 200 rows, also in a window that has room for more. */
export function size_of_a_kept_terminal_is_bounded() {
  mock.timers.enable({ apis: ['setTimeout', 'Date'] });
  const all = sized(700, 300);
  all.size.begin({ kept: true });
  all.size.drawn();
  mock.timers.tick(1000);
  assert.deepEqual([drawn(all), all.told], [[500, 200], [[500, 200]]]);
  all.size.end();
  all.size.begin();
  assert.deepEqual(drawn(all), [700, 300]);
}
