// Levels, JSON and stack traces in a log; tests/web/test_javascript_logs.py runs these.

import assert from 'node:assert/strict';

import { LEVELS, Levels, levelOf, parts } from '../../streamrelay/web/log/levels.js';
import { Shown } from '../../streamrelay/web/log/shown.js';
import { Sieve } from '../../streamrelay/web/log/sieve.js';
import { Traces } from '../../streamrelay/web/log/traces.js';
import { OneLog } from './one-log.mjs';

/** The level is found as programs write it, and not where the word means something else. */
export function levels_found() {
  for (const [line, wanted] of [
    ['{"level":"error","msg":"info"}', 'error'],
    ['{"time":1,"level":30,"msg":"pino"}', 'info'],
    ['{"severity":"WARNING","message":"x"}', 'warn'],
    ['{"log.level":"debug","a":{"level":"fatal"}}', 'debug'],
    ['{"msg":"no level, an ERROR inside"}', 'error'],
    ['time=2026-01-02T03:04:05Z level=warn msg="an error"', 'warn'],
    ['2026-03-02T09:00:00Z INFO  GET /error 500', 'info'],
    ['2026-03-02 09:00:00,123 [main] ERROR com.x.Y - failed', 'error'],
    ['[Sat Jan 01 10:00:00 2026] [core:error] [pid 7] no file', 'error'],
    ['2026/01/01 10:00:00 [warn] 7#7: low', 'warn'],
    ['warning: unused variable', 'warn'],
    ['app.py:12: error: wrong', 'error'],
    ['I0102 10:00:00.1 1 main.go:1] up', 'info'],
    ['E0102 10:00:00.1 1 main.go:1] down', 'error'],
    ['10:00:00 FATAL: the database is gone', 'fatal'],
    ['[2026] CRITICAL in app: x', 'fatal'],
    ['DEBUG:root:x', 'debug'],
    ['<notice> x', 'info'],
    ['GET /static/ERROR.png 200', ''],
    ['no errors were found', ''],
    ['he said: all is fine', ''],
    ['plain', ''],
    ['', ''],
  ])
    assert.equal(LEVELS[levelOf(line)], wanted, line);
}

/** Keys, texts and other values of JSON are told apart; other lines have none. */
export function levels_json() {
  const line = '{"a\\"b": "x:\\"1\\"", "n": -1.5e3, "t": true, "o": {"k": null}}';
  assert.deepEqual(
    parts(line).map(([begin, end, kind]) => [line.slice(begin, end), kind]),
    [
      ['"a\\"b"', 'key'],
      ['"x:\\"1\\""', 'string'],
      ['"n"', 'key'],
      ['-1.5e3', 'value'],
      ['"t"', 'key'],
      ['true', 'value'],
      ['"o"', 'key'],
      ['"k"', 'key'],
      ['null', 'value'],
    ],
  );
  assert.deepEqual(parts('"no": 1'), []);
}

const TRACES = {
  java: `ERROR failed
!java.lang.IllegalStateException: x
>	at com.x.Y.run(Y.java:7)
>	... 12 more
>Caused by: java.io.IOException: y
>	at com.x.Z.read(Z.java:9)
!INFO next`,
  javascript: `TypeError: x is not a function
>    at run (/app/a.js:1:2)
>    at async main
!next`,
  python: `ERROR failed
!Traceback (most recent call last):
>  File "a.py", line 1, in <module>
>    run()
>    ~~~^^
>  File "b.py", line 2, in run
!ValueError: x
!  indented by itself`,
  go: `panic: x
!goroutine 1 [running]:
>main.run(0x1)
>	/app/main.go:7 +0x1d
>main.main()
>	/app/main.go:3 +0x11
!next`,
  ruby: `a.rb:1:in 'run': x (RuntimeError)
>	from a.rb:3:in 'main'
!next`,
};

/** The lines of a stack trace belong to the one above, and the next line doesn't. */
export function traces_found() {
  for (const [name, text] of Object.entries(TRACES)) {
    const traces = new Traces();
    let length = 0;
    for (const line of text.split('\n')) {
      length = line.startsWith('>') ? length + 1 : 0;
      assert.equal(traces.take(line.replace(/^[>!]/, '')), length, `${name}: ${line}`);
    }
  }
}

/** What is copied and saved has the lines of traces that are folded, once each. */
export function traces_kept() {
  const lines = new OneLog();
  lines.append(`${TRACES.java.replace(/^[>!]/gm, '')}\n`, 0);
  const sieve = new Sieve(lines, new Shown(lines));
  const rows = () => {
    const all = Array.from({ length: lines.count }, (_, number) => number).filter((number) => sieve.through(number));
    return { count: all.length, at: (row) => all[row] };
  };
  assert.deepEqual([rows().count, sieve.withFolded(rows())], [3, [0, 1, 2, 3, 4, 5, 6]]);
  sieve.expression = /Exception|Z\.read/g;
  assert.deepEqual([rows().count, sieve.withFolded(rows())], [3, [1, 2, 3, 4, 5]]);
}

/** No trace has more lines than a count has room for, and none goes on where lines are missing. */
export function traces_end() {
  const traces = new Traces();
  const lengths = Array.from({ length: 5000 }, () => traces.take('   at x'));
  assert.equal(Math.max(...lengths), 1000);
  traces.take('Error');
  traces.break();
  assert.equal(traces.take('   at x'), 0);
  assert.equal(traces.take('   at y'), 1);
}

/** No line takes long to look at, whatever it is made of. */
export function levels_hostile() {
  const began = performance.now();
  for (const bit of [
    '"',
    '{"',
    '{"a":',
    'level=',
    'level ',
    ' ',
    'x ',
    '\\"',
    '1e',
    '[a.',
    'ERROR',
    '\t',
    'at ',
    '0: ',
    ':: ',
  ])
    for (const begin of ['', '{"', '  ', '#1 ']) {
      const line = `${begin}${bit.repeat(65_536 / bit.length)}}`;
      levelOf(line);
      parts(line);
      new Traces().take(line);
    }
  const took = performance.now() - began;
  assert(took < 10_000, String(took));
  return took;
}

/** A stack trace that nobody caught is an error, whatever was said before it; one that was logged is as grave as its line. */
export function traces_uncaught() {
  const levels = (text) => {
    const each = new Levels();
    const traces = new Traces();
    return text.split('\n').map((line) => LEVELS[each.take(line, traces.take(line) > 0)]);
  };
  const python = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\nZeroDivisionError: x';
  assert.deepEqual(levels(`INFO begin\n${python}`), ['info', 'error', 'error', 'error']);
  assert.deepEqual(levels(`WARN odd\n${python}`), ['warn', 'warn', 'warn', 'warn']);
  assert.deepEqual(levels('INFO begin\npanic: x\n\ngoroutine 1 [running]:\nmain.run(0x1)\n\t/app/main.go:7').slice(3), [
    'error',
    'error',
    'error',
  ]);
}
