// Stack traces: which lines belong to the one before, as Java, JavaScript, Python, .NET, Go, Ruby, PHP and Rust write them.

const LONGEST = 1000; // lines of one; a further one is a line of its own
const FRAMES = [
  /^\s+at \S/, // Java, JavaScript, .NET, Rust's places
  /^\s*(?:Caused by|Suppressed): \S/,
  /^\s+\.{3} \d+ (?:more|common frames omitted)/,
  /^\s+--- End of .*stack trace/,
  /^ {2}File ".*", line \d+/, // Python
  /^\s+from \S+:\d+:in [`']/, // Ruby
  /^\t\S+\.go:\d+/, // Go
  /^#\d+ (?:\S+\(\d+\): |\{main\})/, // PHP
  /^\s+\d+: (?:0x[\da-f]+ - )?[<\w]\S*::/, // Rust
];
const GO_CALL = /^[\w./*()-]+\(.*\)$/;
const PYTHON = /^\s*(?:\+ )?(?:Exception Group )?Traceback \(most recent call last\)/;
const INDENTED = /^\s+\S/;
const GO = /^goroutine \d+ \[/;

/** Looks at lines in their order. */
export class Traces {
  #length = 0; // lines that belong to the last one that doesn't
  #way = null; // what the last one that tells its language promises of those behind it

  /** How many lines before this one it stands to which it belongs; 0 for one that stands alone. */
  take(text) {
    const belongs = this.#length < LONGEST && this.#belongs(text);
    if (!belongs) this.#way = PYTHON.test(text) ? INDENTED : GO.test(text) ? GO_CALL : null;
    this.#length = belongs ? this.#length + 1 : 0;
    return this.#length;
  }

  /** What follows has nothing to do with what was there. */
  break() {
    this.#length = LONGEST;
    this.#way = null;
  }

  #belongs(text) {
    return Boolean(text) && (FRAMES.some((frame) => frame.test(text)) || Boolean(this.#way?.test(text)));
  }
}
