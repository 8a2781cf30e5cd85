// The viewers: which there are, and their modules, each loaded when somebody first points at a target that it shows, and that
// of logs before.

import { element } from './dom.js';

const VIEWERS = { log: 'log', terminal: 'terminal', vnc: 'screen', spice: 'screen', raw: 'raw' }; // by name, the icon
const KINDS = {
  log: 'log',
  journal: 'journal',
  pty: 'terminal',
  container: 'container',
  qemu: 'machine',
  tcp: 'port',
  unix: 'socket',
};
/** What a viewer imports, and its imports do in turn, where that goes deep. Each is asked for once. */
export const PARTS = {
  log: [
    ...['viewers/log', 'stream-log', 'log/announcer', 'log/ansi', 'log/bar', 'log/clipboard', 'log/colors'],
    ...['log/controls', 'log/detached', 'log/drawn', 'log/elements', 'log/feed', 'log/filter', 'log/keys'],
    ...['log/kinds', 'log/levels', 'log/lines', 'log/matches', 'log/pen', 'log/redrawn', 'log/rows', 'log/selection'],
    ...['log/sentence', 'log/several', 'log/shown', 'log/sieve', 'log/source', 'log/sources', 'log/status'],
    ...['log/styles', 'log/traces', 'log/unseen', 'log/viewport', 'log/writer'],
  ],
};

export function iconOf({ viewer }) {
  return Object.hasOwn(VIEWERS, viewer) ? VIEWERS[viewer] : VIEWERS.raw;
}

/** A target's kind in a word; what isn't known is said as it is. */
export function kindOf({ kind }) {
  return Object.hasOwn(KINDS, kind) ? KINDS[kind] : kind;
}

/** Whether a target is a log by all that is said of it: to open one changes nothing at its host. */
export function isLog({ kind, viewer }) {
  return viewer === 'log' && ['log', 'journal', 'container'].includes(kind);
}

/** The module of a viewer. One that this page doesn't know is shown raw. */
export async function load(viewer) {
  const name = Object.hasOwn(VIEWERS, viewer) ? viewer : 'raw';
  fetchParts(name);
  try {
    return await import(`../viewers/${name}.js`);
  } catch (error) {
    if (error instanceof SyntaxError) throw error;
    throw new Error(`the page's part for this kind of target (viewers/${name}.js) can't be loaded`, { cause: error });
  }
}

/** All parts at once: a browser finds them one import after the other, and each of those is a way to the platform. */
function fetchParts(name) {
  for (const path of PARTS[name]?.splice(0) ?? []) {
    const href = new URL(`../${path}.js`, import.meta.url).href;
    document.head.append(element('link', { rel: 'modulepreload', fetchpriority: 'low', href }));
  }
}

/** Somebody points at a target: they may open it soon, and its viewer's files are on the way. */
export function foresee({ viewer }) {
  load(viewer).catch(() => {}); // it is said when it is opened
}

const PATIENCE = 200; // milliseconds until a browser that doesn't say when it has nothing to do is taken to have none
const { connection } = /** @type {any} */ (navigator); // not every browser tells, or types it
let ahead = connection?.saveData ?? false; // that viewer is on its way, or isn't wanted

/** A target is in the list. The viewer of logs is small, and nobody else's: it comes once the page has nothing to do. */
export function listed({ viewer }) {
  if (viewer !== 'log' || ahead) return;
  ahead = true;
  const whenIdle = globalThis.requestIdleCallback ?? ((begin) => setTimeout(begin, PATIENCE));
  whenIdle(() => foresee({ viewer }));
}
