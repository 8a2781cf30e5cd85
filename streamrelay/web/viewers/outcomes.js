// Outcomes that no close code tells: what went wrong was said inside of the stream.

/** An outcome in a viewer's own words; another try alone doesn't help. */
export function refusal(words) {
  return { code: 1000, reason: '', words, clean: false, transient: false };
}

/** An outcome as what `connect()` rejects with. */
export function failure(outcome) {
  return Object.assign(new Error(outcome.words), { outcome });
}

/** The outcome of a screen of which nothing was shown: an end in order is none then. */
export function unseen(outcome) {
  return outcome.clean ? refusal('the machine closed the stream before it showed anything') : outcome;
}

/** What others say, in one line without control characters. */
export function line(text) {
  return String(text)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, 200);
}
