// The tabs: which are open, which is selected (ARIA's tabs; they are selected as the focus moves).

import { $ } from './dom.js';
import { address } from './links.js';
import { Tab } from './tab.js';
import { toast, whisper } from './toast.js';
import { isLog } from './viewers.js';

/** Events: `change`, when tabs come, go, or another is selected, `terminals`, when other kept terminals are shown; `selected` is null where another `page` is shown: the
    overview ('') or the live streams ('streams'). */
export class Tabs extends EventTarget {
  selected = null;
  page = '';

  #all = [];
  #session;
  #hosts;

  constructor(session, hosts) {
    super();
    this.#session = session;
    this.#hosts = hosts;
    $('tabs').addEventListener('keydown', (event) => this.#key(event));
    $('tabs').addEventListener('auxclick', (event) => {
      if (event.button === 1) this.close(this.#of(event.target));
    });
    $('tabs').addEventListener('click', (event) => {
      const tab = this.#of(event.target);
      if (!tab) return;
      this.select(tab);
      if (event.detail) tab.focus(); // by a pointer; Enter has an arrow down for this, see #key
    });
    hosts.addEventListener('change', () => this.#hostsChanged());
    hosts.addEventListener('back', ({ detail }) => this.hurry((host) => detail.has(host)));
    addEventListener('online', () => this.hurry());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden) this.hurry();
    });
    session.addEventListener('in', ({ detail }) => this.#signedIn(detail.another));
    session.addEventListener('out', () => {
      if (session.left) this.closeAll();
    });
  }

  /** Whether something ends for good when the page is left. */
  get living() {
    return this.#all.some((tab) => tab.living);
  }

  /** The tab of a target, or of several logs. */
  find(...all) {
    return this.#all.find((tab) => tab.address === address(all));
  }

  /** Whether one of them is so. */
  some(which) {
    return this.#all.some(which);
  }

  /** The kept terminals that are shown, in their order. */
  get terminals() {
    return this.#all.map((tab) => tab.terminal).filter((one) => one !== null);
  }

  /** Attach to a kept terminal, which starts nothing: in its tab, or in a new one, which is selected, unless it is to be `inBack`. */
  attach(one, { inBack = false } = {}) {
    const there = this.#all.find((tab) => tab.terminal?.terminal === one.terminal);
    const tab = there ?? this.#add([one]);
    if (tab.isDown) tab.connect();
    if (inBack) return;
    this.select(tab);
    tab.focus();
  }

  /** Show the list of a host's kept terminals, or of those of all hosts (`''`). */
  listTerminals(host) {
    const isHere = ({ terminal }) => this.terminals.some((one) => one.terminal === terminal);
    const acts = { attach: (one) => this.attach(one), isHere, hosts: () => this.#hosts.keeping };
    const style = import('./streams-style.js').then(({ styled }) => styled());
    Promise.all([import('./terminals.js'), style]).then(([{ listTerminals }]) => {
      listTerminals(this.#session, host, acts);
    }, unloaded);
  }

  /** End one, once somebody has said so. */
  #endTerminal(one) {
    import('./terminal-end.js').then(({ endTerminal }) => endTerminal(this.#session, one), unloaded);
  }

  /** Open a target that somebody here has chosen: in its tab, or in a new one. */
  open(host, target, { another = false } = {}) {
    const there = this.find({ host, target });
    const tab = (!another && there) || this.#add([{ host, target }]);
    if (tab.isDown) tab.connect(); // first: the platform can be asked while the page is drawn
    this.select(tab);
    tab.focus();
  }

  /** A tab of what nobody here has chosen, as a link named it. It asks first, but for logs. */
  show(all) {
    const tab = this.#add(all);
    this.select(tab);
    this.#tell(tab);
    tab.focus();
  }

  select(tab, page = '') {
    this.selected = tab;
    this.page = tab ? '' : page;
    for (const one of this.#all) {
      one.selected = one === tab;
      one.button.tabIndex = one === (tab ?? this.#all[0]) ? 0 : -1;
    }
    tab?.button.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    this.#changed();
  }

  /** Another one takes its place, and its focus. */
  close(tab) {
    const place = this.#all.indexOf(tab);
    if (place < 0) return;
    const focus = [tab.button, tab.panel].find((one) => one.contains(document.activeElement));
    this.#all.splice(place, 1);
    tab.destroy();
    const next = this.#all[place] ?? this.#all[place - 1] ?? null;
    this.select(this.selected === tab ? next : this.selected, this.page);
    if (tab.terminal) toast(`${tab.name} runs on without you. “Kept terminals” of its host leads back to it.`);
    else whisper(`${tab.name} is closed.`);
    if (tab.terminal) this.#keep();
    if (!focus) return;
    if (focus === tab.panel && next) next.focus();
    else (next?.button ?? $('hosts')).focus();
  }

  closeAll() {
    for (const tab of this.#all.splice(0)) tab.destroy();
    this.select(null);
    this.#keep();
  }

  /** The one so many further on, round the end. */
  step(by) {
    if (!this.#all.length) return;
    const place = this.#all.indexOf(this.selected);
    this.select(this.#all.at((Math.max(place, by < 0 ? 0 : -1) + by) % this.#all.length));
    this.selected.focus();
  }

  #add(all) {
    const same = this.#all.filter((tab) => tab.address === address(all)).length;
    const [{ host, target }] = all;
    const tab = new Tab(this.#session, {
      all,
      number: same && same + 1,
      known: this.#known(all),
      close: () => this.close(tab),
      pick: () => this.#pick(tab),
      unfit: (one) => {
        const known = this.#hosts.find(one.host, one.target);
        return known && !isLog(known);
      },
      changed: () => this.#changed(),
      kept: () => this.#keep(),
      terminals: { list: (host) => this.listTerminals(host), end: (one) => this.#endTerminal(one) },
      back: () => this.#back(),
      more: [{ label: 'Open another', icon: 'plus', run: () => this.open(host, target, { another: true }) }],
    });
    this.#all.push(tab);
    $('tabs').append(tab.button);
    $('panels').append(tab.panel);
    return tab;
  }

  #keep() {
    this.dispatchEvent(new Event('terminals'));
  }

  #of(target) {
    return this.#all.find((tab) => tab.button.contains(target));
  }

  #changed() {
    $('tabs').hidden = !this.#all.length;
    $('overview').hidden = this.selected !== null || this.page !== '';
    $('streams').hidden = this.page !== 'streams';
    document.body.dataset.tabs = this.#all.length ? 'some' : 'none';
    document.body.dataset.view = this.selected ? 'tab' : this.page || 'overview';
    const name = this.selected?.name ?? (this.page && 'Live streams');
    document.title = name ? `${name} · streamrelay` : 'streamrelay';
    this.dispatchEvent(new Event('change'));
  }

  #key(event) {
    const now = this.#all.indexOf(this.#of(event.target));
    const last = this.#all.length - 1;
    const to = {
      ArrowRight: now === last ? 0 : now + 1,
      ArrowLeft: now ? now - 1 : last,
      Home: 0,
      End: last,
    }[event.key];
    if (now < 0 || event.ctrlKey || event.altKey || event.metaKey) return;
    if (to !== undefined) {
      this.select(this.#all[to]);
      this.#all[to].button.focus();
    } else if (event.key === 'Delete') {
      this.close(this.#all[now]);
    } else if (event.key === 'ArrowDown' || event.key === 'Enter') {
      this.select(this.#all[now]);
      this.#all[now].focus();
    } else {
      return;
    }
    event.preventDefault();
  }

  /** Try those now that wait for their next try. */
  hurry(which) {
    for (const tab of this.#all) tab.hurry(which);
  }

  /** One tab's relay is back, or its platform: that may be so for the others, too. */
  #back() {
    this.hurry();
    if (this.#hosts.trouble) this.#hosts.now();
  }

  /** A host that is up needn't be waited for. */
  #hostsChanged() {
    this.hurry((host, error) => error?.code === 'host_offline' && this.#hosts.isUp(host));
    for (const tab of this.#all) this.#tell(tab);
  }

  /** What is known of a target, by the list; of several, if they are logs, as nothing else can be shown together. */
  #known(all) {
    const known = all.map(({ host, target }) => this.#hosts.find(host, target));
    if (all.length === 1) return known[0];
    return known.every((one) => one && isLog(one)) ? { viewer: 'log' } : undefined;
  }

  /** Let somebody choose further logs for a tab. */
  async #pick(tab) {
    const { pickLogs } = await import('./pick.js');
    for (const one of await pickLogs(this.#hosts.list ?? [], tab.all)) tab.join(one);
    tab.focus();
  }

  /** What the list has of a tab that asks; one of a log needn't. */
  #tell(tab) {
    if (!tab.asks) return;
    const known = this.#known(tab.all);
    tab.known = known;
    if (known && (tab.all.length > 1 || isLog(known))) tab.reconnect();
  }

  #signedIn(another) {
    // What one user has opened isn't for the next.
    if (another) this.closeAll();
    for (const tab of this.#all) if (tab.signInNeeded) tab.reconnect();
  }
}

const unloaded = () => toast("The page's part for kept terminals can't be loaded.");
