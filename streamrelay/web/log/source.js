// One source of a log's lines: the streams by which they come, one after another, and how it stands.

import { connect } from '../streamrelay.js';
import { whenDetached } from './detached.js';
import { Feed } from './feed.js';

export class Source {
  /** How it stands, in words; empty while lines may come. */
  words = '';

  #writer;
  #feed;
  #told;
  #stream = null;
  #opening = null; // an AbortController, where the stream is that of a URL

  /** Told: `changed()` of new lines, `told(source)` of words and names, `ended(outcome)` of a stream's end. */
  constructor(writer, { changed, told, ended }) {
    this.#writer = writer;
    this.#feed = new Feed(writer, changed);
    this.#told = told;
    this.ended = ended;
  }

  /** What its lines are called by; empty for the only one of a log. */
  get name() {
    return this.#writer.name;
  }

  set name(name) {
    if (name === this.name) return;
    this.#writer.name = name;
    this.#told(this);
  }

  /** Its place among the sources. */
  get number() {
    return this.#writer.source;
  }

  /** Lines of it that are kept, and those that were dropped as the log has too many. */
  get count() {
    return this.#writer.count;
  }

  get dropped() {
    return this.#writer.dropped;
  }

  /** `{ place, after }` for `open`, to go on where it stands; null if it can't. */
  get place() {
    return this.#feed.place;
  }

  /** Show a stream, behind those before. Gives its outcome once all of it has been taken. */
  async follow(stream) {
    if (this.#stream && this.#stream !== stream) this.#stream.close();
    this.#stream = stream;
    this.tell('');
    const say = (words) => this.#stream === stream && this.tell(words);
    const reconnecting = (why) => say(`Reconnecting … ${why}`);
    whenDetached(stream, reconnecting, () => say(''), reconnecting);
    await this.#feed.read(stream);
    stream.close(); // if only the other end had finished
    const outcome = await stream.closed;
    if (this.#stream !== stream) return outcome;
    this.#stream = null;
    const words = `Ended: ${outcome.words}`;
    if (this.name) this.#feed.say(words); // others may go on
    this.tell(words);
    this.ended(outcome);
    return outcome;
  }

  /** Open the stream of a ticket's URL in place of what was there, and follow it; none without one. */
  async open(url) {
    this.leave();
    if (!url) return;
    const mine = new AbortController();
    this.#opening = mine;
    this.tell('Connecting …');
    try {
      await this.follow(await connect(url, { signal: mine.signal }));
    } catch (error) {
      if (!mine.signal.aborted) this.tell(`Ended: ${error.message}`);
    }
  }

  /** Say how it stands. */
  tell(words) {
    this.words = words;
    this.#told(this);
  }

  /** Leave the stream. */
  close() {
    this.#stream?.close();
  }

  /** Leave a stream that was opened here. */
  leave() {
    this.#opening?.abort();
    this.#opening = null;
  }

  /** The next stream begins anew. */
  forget() {
    this.#feed.forget();
  }
}
