// How the console asks several hosts for their kept terminals. tests/web/test_javascript_promises.py runs each of these.

import assert from 'node:assert/strict';
import { troubleOf } from '../../streamrelay/web/console/terminals.js';
import { Asked, MOST } from '../../streamrelay/web/console/terminals-asked.js';

const KEPT = { terminal: 't', target: 'shell', user: 'ann', people: [], size: [80, 24] };
const names = (count) => Array.from({ length: count }, (_, number) => `web-${number}`);

/** A platform whose hosts answer as `answer(host)` says, [status, body], and how many were asked at a time. */
function platform(answer) {
  const counts = { asked: [], now: 0, most: 0 };
  Object.assign(globalThis, { document: { baseURI: 'http://platform.example/' } });
  globalThis.fetch = async (url) => {
    const host = new URL(url).pathname.split('/')[3];
    counts.asked.push(host);
    counts.now += 1;
    counts.most = Math.max(counts.most, counts.now);
    await new Promise((later) => setTimeout(later, 1));
    counts.now -= 1;
    const [status, body] = answer(host);
    return Response.json(body, { status });
  };
  return counts;
}

/** A few are asked at a time, and no more than so many in all; how many are left is said. */
export async function hosts_are_asked_a_few_at_a_time() {
  const counts = platform((host) => [200, { terminals: [{ ...KEPT, host, seconds: Number(host.slice(4)) }] }]);
  let told = 0;
  const asked = new Asked(() => (told += 1));
  await asked.ask(names(MOST + 30), new AbortController().signal);
  assert.deepEqual([counts.asked.length, counts.most, asked.beyond], [MOST, 6, 30]);
  assert.deepEqual([asked.terminals.length, asked.terminals[0].host, told], [MOST, `web-${MOST - 1}`, MOST + 1]);
  await asked.ask(['web-3'], new AbortController().signal);
  assert.deepEqual([asked.terminals.map(({ host }) => host), asked.beyond], [['web-3'], 0]);
}

/** A host that gives no answer keeps what it had said, and is named; one that is too old for terminals has none. */
export async function hosts_that_give_no_answer_are_named() {
  let fails = false;
  const problem = (code) => [504, { status: 504, code, detail: `${code} it is` }];
  platform((host) => {
    if (host === 'web-0') return problem('too_old');
    return fails && host === 'web-1' ? problem('no_answer') : [200, { terminals: [{ ...KEPT, host, seconds: 1 }] }];
  });
  const asked = new Asked(() => {});
  const { signal } = new AbortController();
  for (fails of [false, true]) await asked.ask(names(3), signal);
  assert.deepEqual(
    asked.terminals.map(({ host }) => host),
    ['web-1', 'web-2'],
  );
  assert.deepEqual(asked.missing, [['web-1', 'no_answer it is']]);
}

/** Nothing is told to who has left. */
export async function who_has_left_is_told_nothing() {
  platform(() => [200, { terminals: [] }]);
  const left = new AbortController();
  const asked = new Asked(() => assert.fail('told'));
  const asking = asked.ask(names(20), left.signal);
  left.abort();
  await assert.rejects(asking);
}

/** Of many hosts that can't be asked some are named, and the others counted. */
export function what_is_not_known_is_said() {
  const missing = names(7).map((host) => [host, `host ${host} is offline`]);
  const words = troubleOf(missing, 1001);
  assert.deepEqual(
    [words[0], words.slice(5)],
    ['Host web-0 is offline.', ['2 hosts more can’t be asked.', 'Only the first 100 of 1,101 hosts are asked.']],
  );
  assert.deepEqual(troubleOf([], 0), []);
}
