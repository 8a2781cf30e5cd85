// When somebody leaves a screen: to another part of the page, another window, or as the page itself is put away.

/** Do something each time that the focus leaves an element; keys that are released elsewhere are told to nobody there. */
export function whenLeft(element, act, signal) {
  element.addEventListener('focusout', act, { signal });
  document.addEventListener('visibilitychange', () => document.hidden && act(), { signal });
}
