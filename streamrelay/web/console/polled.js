// Questions for the list of hosts: page after page, and what is made of the answers of a platform that knows no pages.

import { request } from './request.js';

const FIRST = 100; // hosts: as many as anybody sees at once, and these are there soon
const NEXT = 2000; // the most that the platform gives

/** The answers, each of which tells of further hosts; an older platform gives one of all, without `up`. */
export async function* pages() {
  for (let after = null, limit = FIRST; ; limit = NEXT) {
    const answer = await request('GET', path(limit, after));
    yield answer;
    after = answer.next ?? null;
    if (after === null) return;
  }
}

/** The first of these alone: what is seen at first, and which kind of platform it is. */
export const first = () => request('GET', path(FIRST, null));

/** How many hosts there are; costs next to nothing. */
export const count = () => request('GET', path(1, null));

function path(limit, after) {
  const query = new URLSearchParams({ state: 'all', limit: String(limit) });
  if (after !== null) query.set('after', after);
  return `v1/hosts?${query}`;
}

/**
 * What an older platform's answer changes: it has the hosts that have answered it. One that is missing for the first time is
 * kept, as it may only be slow; so are all where it is known that not all have answered.
 */
export function changesOf(before, { hosts, complete }) {
  const has = new Set(hosts.map(({ host }) => host));
  const missing = before.filter(({ host }) => !has.has(host));
  const kept = missing.filter(({ state }) => state === 'up' || complete === false);
  return {
    hosts: [
      ...hosts.map((one) => ({ ...one, state: 'up', seen: null, labels: {} })),
      ...kept.map((one) => ({ ...one, state: 'silent' })),
    ],
    gone: missing.filter((one) => !kept.includes(one)).map(({ host }) => host),
  };
}
