// How grave a line is: by its JSON, by `level=…`, or by a word of its beginning as most programs write it.

/** By their numbers; 0 is none. */
export const LEVELS = ['', 'trace', 'debug', 'info', 'warn', 'error', 'fatal'];

const BEGIN = 200; // characters in which a word counts
const WORDS = {
  trace: 'trace|trc|verbose|finest|finer',
  debug: 'debug|dbg|dbug|fine',
  info: 'info|inf|information|informational|notice|note',
  warn: 'warn|wrn|warning',
  error: 'error|err|eror|severe|fail',
  fatal: 'fatal|ftl|critical|crit|alert|emerg|emergency|panic',
};
const BY_WORD = new Map();
for (const [level, words] of Object.entries(WORDS))
  for (const word of words.split('|')) BY_WORD.set(word, LEVELS.indexOf(level));
const ANY = Object.values(WORDS).join('|');
const NAMES = 'level|lvl|severity|levelname|log\\.level|log_level|loglevel|@l';

const JSON_LINE = /^\s*\{\s*"/;
const IN_JSON = new RegExp(`"(?:${NAMES})"\\s*:\\s*"?(\\w+)`, 'i');
const PAIR = new RegExp(`(?:^|[\\s,])(?:${NAMES})\\s*[=:]\\s*"?(${ANY})\\b`, 'i');
const UPPER = new RegExp(`(?<![\\w./-])(${ANY.toUpperCase()})\\d?(?![\\w/-]|\\.\\w)`);
const BRACKETED = new RegExp(`[[<|(](?:\\w+[.:])?(${ANY})[\\]>|)]`, 'i');
const PREFIX = new RegExp(`^(?:\\S+\\s+){0,3}(${ANY}):`, 'i');
const KLOG = /^([IWEF])\d{4} \d\d:/;
const LETTERS = { I: 3, W: 4, E: 5, F: 6 };

/** The level of a text without escapes, as a number; 0 for one that tells none. */
export function levelOf(text) {
  const json = isJson(text) ? IN_JSON.exec(text) : null;
  if (json) return named(json[1]);
  const begin = text.slice(0, BEGIN);
  const klog = KLOG.exec(begin);
  if (klog) return LETTERS[klog[1]];
  const found = PAIR.exec(begin) ?? UPPER.exec(begin) ?? BRACKETED.exec(begin) ?? PREFIX.exec(begin);
  return found ? named(found[1]) : 0;
}

/** Whether it looks like an object of JSON. */
export const isJson = (text) => JSON_LINE.test(text) && text.trimEnd().endsWith('}');

/** A word, or a number as pino and bunyan have them: 10, 20 … 60. */
function named(word) {
  const number = Number(word);
  if (number >= 10) return Math.min(LEVELS.length - 1, Math.floor(number / 10));
  return BY_WORD.get(word.toLowerCase()) ?? 0;
}

const EXCEPTION = /^(?:[\w.$]*(?:Exception|Error|Throwable)\b|Traceback |panic: |goroutine \d+ \[)/; // begins a stack trace
const GRAVE = LEVELS.indexOf('warn'); // as grave as a line is of which a stack trace may be a part
const INDENTED = /^\s/;

/** Looks at lines in their order; those that go on with the one before have its level. */
export class Levels {
  #last = 0;

  /** `behind`: whether it belongs to the one before by all that is known. */
  take(text, behind) {
    const before = this.#last;
    this.#last = behind ? before : levelOf(text);
    if (!this.#last && INDENTED.test(text)) this.#last = before;
    if ((behind || !this.#last) && this.#last < GRAVE && EXCEPTION.test(text))
      this.#last = before >= GRAVE ? before : LEVELS.indexOf('error'); // nobody caught it, whatever was said before
    return this.#last;
  }

  /** What follows has nothing to do with what was there. */
  break() {
    this.#last = 0;
  }
}

const COLOURED = 2000; // characters of a line of JSON in which its parts are told apart
const TOKENS = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|\b(?:true|false|null)\b/g;

/** Which parts of a line of JSON are keys, texts and other values: `[begin, end, kind]`. */
export function parts(text) {
  if (!isJson(text)) return [];
  return Array.from(text.slice(0, COLOURED).matchAll(TOKENS), ({ 0: all, 1: string, 2: colon, index }) => {
    const kind = colon ? 'key' : string ? 'string' : 'value';
    return [index, index + (string ?? all).length, kind];
  });
}
