// When a stream that resumes has no connection for a while, which is worth a word to who looks at it.

const SHORT = 500; // ms; one that is back by then is not

/**
 * Call `lost()` as a stream has been detached for a while, and `back(ended)` as it no longer is; of streams that don't
 * resume neither.
 */
export function whenDetached(stream, lost, back) {
  let [timer, told] = [0, false];
  const begin = () => {
    timer ||= setTimeout(() => {
      told = true;
      lost();
    }, SHORT);
  };
  const over = (ended) => {
    clearTimeout(timer);
    timer = 0;
    if (told) back(ended);
    told = false;
  };
  stream?.addEventListener?.('detached', begin);
  stream?.addEventListener?.('attached', () => over(false));
  stream?.closed.then(() => over(true));
  if (stream?.detached) begin();
}
