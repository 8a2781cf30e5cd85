// protocol.rst, "Vectors" of streams that resume: this client counts and keeps what the tables say. For the agent and the
// native client tests/docs/test_resume_vectors.py reads the same tables.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

import { Outgoing, sizeOf } from '../../streamrelay/web/streamrelay-resume.js';

const LINES = readFileSync(new URL('../../docs/protocol.rst', import.meta.url), 'utf8').split('\n');
const CONVERSATION = ['1', '2', '4', '14']; // steps that are resumed
const CONFIRMED = 2;

/** The rows of the simple table whose head begins so; each has one line. */
function table(head) {
  const begin = LINES.findIndex((line) => head.test(line)) + 2;
  assert(begin > 1, `no table ${head}`);
  const end = LINES.findIndex((line, at) => at >= begin && /^=+ +=/.test(line));
  return LINES.slice(begin, end).map((line) => line.split(/ {2,}/));
}

const STEPS = table(/^step +sent /);

const messages = (cell) =>
  [...cell.matchAll(/(bytes|text) ``(.*?)``/g)].map(([, kind, text]) =>
    kind === 'bytes' ? new TextEncoder().encode(text) : text,
  );

const parsed = (message) => (typeof message === 'string' ? JSON.parse(message) : message);

export function positions_are_those_of_the_vectors() {
  let position = 0;
  for (const [step, sent, after] of STEPS) {
    for (const message of messages(sent)) position += sizeOf(parsed(message));
    assert.equal(position, Number(after), `step ${step}`);
  }
  assert(position > 10);
}

export function what_is_sent_anew_is_that_of_the_vectors() {
  const rows = table(/^received +sent anew/);
  assert(rows.length > 5);
  for (const [received, anew] of rows) {
    const outgoing = new Outgoing();
    for (const step of CONVERSATION)
      for (const message of messages(STEPS.find(([name]) => name === step)[1])) outgoing.say(message);
    assert(outgoing.acknowledge(CONFIRMED));
    assert.equal(outgoing.reaches(Number(received)), !anew.includes('never'), `received ${received}`);
    if (anew.includes('never')) continue;
    const expected = [...anew.matchAll(/``(.*?)``/g)].map(([, text]) => text);
    const sent = [...outgoing.from(Number(received))];
    const said = sent.map((item) => (typeof item === 'string' ? item : new TextDecoder().decode(item)));
    assert.equal(said.join(''), expected.join(''), `received ${received}`);
  }
}
