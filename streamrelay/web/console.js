// The console page: who is signed in, which hosts are up, and the tabs in which their targets are open. The address
// names the target that is shown (``#host/target``), or the logs; what else is kept of what somebody does here: console/kept.js.

import { keep, keptOf, some } from './console/attached.js';
import { $ } from './console/dom.js';
import { Drawer } from './console/drawer.js';
import { Hosts } from './console/hosts.js';
import { Kept } from './console/kept.js';
import { named as namedBy, unnamed } from './console/links.js';
import { Session } from './console/session.js';
import { listenForKeys } from './console/shortcuts.js';
import { Sidebar, tellTrouble } from './console/sidebar.js';
import { showSignIn, takeKey } from './console/signin.js';
import { Tabs } from './console/tabs.js';
import { toast } from './console/toast.js';

const COME_BACK = 'Sign in to come back to the terminals that were open here.';
const STREAMS = '#/streams'; // the address of the page of live streams: no host has this name
let key = takeKey();
const session = new Session();
const hosts = new Hosts(session);
const tabs = new Tabs(session, hosts);
const drawer = new Drawer();
const kept = new Kept();
const sidebar = new Sidebar(hosts, kept, { choose, list, isOpen });

function isOpen(host, target) {
  const { selected } = tabs;
  const has = (tab) => tab.all.some((one) => one.host === host && one.target === target);
  if (selected && has(selected)) return 'selected';
  return tabs.some(has) ? 'open' : '';
}

function choose(host, target) {
  drawer.close();
  tabs.open(host, target);
}

function list(host) {
  drawer.close();
  tabs.listTerminals(host);
}

let streams = null; // the page of live streams, once somebody has wanted it

/** The page of live streams asks while it is shown, and no longer. */
function showStreams() {
  const wanted = session.signedIn && tabs.page === 'streams';
  $('live').ariaCurrent = wanted ? 'page' : null;
  if (wanted) {
    const styled = () => import('./console/streams-style.js').then((style) => style.styled());
    streams ??= Promise.all([import('./console/streams.js'), styled()]).then(
      ([{ Streams }]) => new Streams(session, leaveStreams),
    );
    streams.catch(() => {
      streams = null; // it is loaded anew once it is wanted again
      toast("The page's part for live streams can't be loaded.");
    });
  }
  streams?.then((page) => (session.signedIn && tabs.page === 'streams' ? page.start() : page.stop())).catch(() => {});
}

let before = null; // the tab that was shown

function leaveStreams() {
  const last = tabs.some((tab) => tab === before) ? before : null;
  tabs.select(last);
  (last ?? { focus: () => $('live').focus() }).focus();
}

function enterStreams() {
  drawer.close();
  before = tabs.selected ?? before;
  tabs.select(null, 'streams');
  $('streams').focus();
}

/** Show what the address names, whoever wrote it; the overview if it names nothing. */
function follow() {
  if (location.hash === STREAMS) {
    if (session.signedIn && tabs.page !== 'streams') enterStreams();
    return;
  }
  const named = namedBy(location.hash);
  const there = named && tabs.find(...named);
  if (!named || there) tabs.select(there);
  else if (session.signedIn) tabs.show(named);
  if (!named && location.hash.length > 1 && session.signedIn) toast(unnamed(location.hash));
}

/** The address follows what is shown. One whose tab is gone isn't gone back to. */
function writeAddress() {
  const { selected } = tabs;
  const wanted = selected?.address ?? (tabs.page === 'streams' ? STREAMS : '');
  const named = namedBy(location.hash);
  const keeps = !wanted && named === null && location.hash !== STREAMS; // nothing of ours stands there
  if (wanted === location.hash || keeps) return;
  const gone = named && !tabs.find(...named);
  const where = wanted || location.pathname;
  if (gone) history.replaceState(null, '', where);
  else history.pushState(null, '', where);
}

tabs.addEventListener('change', () => {
  if (session.signedIn || tabs.selected) writeAddress();
  sidebar.show();
  showStreams();
});
$('live').addEventListener('click', (event) => {
  event.preventDefault();
  if (tabs.page !== 'streams') enterStreams();
});
$('terminals').addEventListener('click', () => list(''));
hosts.addEventListener('change', () => {
  $('terminals').hidden = !hosts.keepAny;
});
showSignIn(session); // first: what isn't in sight yet takes no focus
session.addEventListener('in', () => {
  kept.of(session.user);
  hosts.start();
  comeBack();
  follow();
});
session.addEventListener('out', () => {
  hosts.stop();
  if (tabs.page) tabs.select(null);
  if (session.left) keep('', []);
  if (session.left) kept.forget();
  else kept.of('');
  if (session.left) history.replaceState(null, '', location.pathname);
});
addEventListener('popstate', () => {
  const another = takeKey();
  if (another && !session.signedIn) {
    session.enter(another).catch(() => {
      key = another; // the platform can't be reached yet; `begin` tries again
    });
  }
  follow();
});
addEventListener('beforeunload', (event) => {
  if (tabs.living) event.preventDefault();
});
$('skip').addEventListener('click', (event) => {
  event.preventDefault(); // the address is for targets
  (tabs.selected ?? { focus: () => $('work').focus() }).focus();
});
listenForKeys(tabs, () => {
  drawer.open();
  sidebar.search();
});

/** The kept terminals that this page has shown before it was loaded again: what runs there is attached to, none is begun. */
function comeBack() {
  const { all, others } = keptOf(session.user);
  if (others) toast('Terminals that somebody else had open here are not shown.');
  for (const one of all) tabs.attach(one, { inBack: true });
  keep(session.user, tabs.terminals);
}

tabs.addEventListener('terminals', () => {
  if (session.signedIn) keep(session.user, tabs.terminals);
});

let begins = 0;

/** Until the platform has said who is signed in. */
async function begin() {
  clearTimeout(begins);
  begins = 0;
  try {
    await session.look(key, some() ? COME_BACK : '');
  } catch (problem) {
    tellTrouble(problem.message);
    begins = setTimeout(begin, 3000);
  }
}
$('try-now').addEventListener('click', () => {
  if (begins) void begin();
  hosts.now();
  tabs.hurry();
});
void begin();
