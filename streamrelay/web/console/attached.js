// The kept terminals that this page shows, over a reload: the browser keeps their ids for as long as its tab is open, and a
// copy of it has them, too. An id is no secret and gives no right; whose they are stands with them.

import { fragment, parse } from './links.js';

const PLACE = 'terminals'; // in the tab's storage
const MOST = 50;
const ID = /^[\w-]{22}$/;

/** Keep which terminals a user has on this page. */
export function keep(user, all) {
  const kept = all.slice(0, MOST).map(({ host, target, terminal, looks }) => ({ host, target, terminal, looks }));
  try {
    if (kept.length) sessionStorage.setItem(PLACE, JSON.stringify({ user, all: kept }));
    else sessionStorage.removeItem(PLACE);
  } catch {
    // a browser that keeps nothing for this page
  }
}

/** Whether any are kept, whoever's they are. */
export const some = () => read() !== null;

/** Those of a user. Of another one's nothing is told but that there were some: `others`. */
export function keptOf(user) {
  const { user: whose, all } = read() ?? { user, all: [] };
  if (whose !== user) return { all: [], others: true };
  return { all: all.slice(0, MOST).flatMap(known), others: false };
}

/** One as the storage has it, which others may have written. */
function known({ host, target, terminal, looks }) {
  const fits = [host, target, terminal].every((name) => typeof name === 'string') && ID.test(terminal);
  return fits && parse(fragment(host, target)) ? [{ host, target, terminal, looks: looks === true }] : [];
}

function read() {
  try {
    const { user, all } = JSON.parse(sessionStorage.getItem(PLACE) ?? '{}');
    return typeof user === 'string' && Array.isArray(all) ? { user, all: all.map(Object) } : null;
  } catch {
    return null; // a browser that keeps nothing for this page, or something else's
  }
}
