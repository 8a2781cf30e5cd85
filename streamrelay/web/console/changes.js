// What the platform tells of hosts by itself: server-sent events of GET v1/hosts/changes (protocol.rst).

const PATIENCE = 10_000; // ms until the first one must be there: a proxy that holds them back is no way

/** One connection. `broke()` is called once, when nothing more comes by it; why isn't told to a page. */
export class Changes {
  begun = false;

  #source;
  #timer;
  #broke;

  /** `begin`, `change` and `trouble` are told what the platform says, `over` too, as the last. */
  constructor({ begin, change, trouble, over, broke }) {
    this.#broke = broke;
    this.#source = new EventSource(new URL('v1/hosts/changes', document.baseURI));
    this.#timer = setTimeout(() => this.#end(), PATIENCE);
    this.#on('begin', (told) => {
      clearTimeout(this.#timer);
      this.begun = true;
      begin(told);
    });
    this.#on('change', change);
    this.#on('trouble', trouble);
    this.#on('over', (problem) => {
      this.close();
      over(problem);
    });
    this.#source.addEventListener('error', () => this.#end()); // it would try again by itself, but not say so
  }

  close() {
    clearTimeout(this.#timer);
    this.#source.close();
    this.#broke = () => {};
  }

  #end() {
    const broke = this.#broke;
    this.close();
    broke();
  }

  #on(event, tell) {
    this.#source.addEventListener(event, ({ data }) => {
      let told;
      try {
        told = JSON.parse(data);
      } catch {
        this.#end(); // what was to be told is lost: all is asked for again
        return;
      }
      tell(told);
    });
  }
}
