// What is selected in the lines: while something is, rows that it touches stay as they are, and following waits.

export class Selection {
  #root;
  #scroller;
  #viewport;
  #heldAt = null; // the first line in sight when following stopped for it
  #watch = () => this.#changed();

  constructor(root, scroller, viewport) {
    this.#root = root;
    this.#scroller = scroller;
    this.#viewport = viewport;
  }

  start() {
    document.addEventListener('selectionchange', this.#watch);
  }

  stop() {
    document.removeEventListener('selectionchange', this.#watch);
  }

  /** Whether some of an element's text is selected. */
  touches(element) {
    const { startContainer, startOffset, endContainer, endOffset, collapsed } = this.#range() ?? { collapsed: true };
    if (collapsed) return false;
    const range = document.createRange();
    range.setStart(startContainer, startOffset);
    range.setEnd(endContainer, endOffset);
    return range.intersectsNode(element);
  }

  #changed() {
    const viewport = this.#viewport;
    if (this.touches(this.#scroller)) {
      if (!viewport.following) return;
      viewport.pause();
      this.#heldAt = viewport.top;
    } else if (this.#heldAt !== null) {
      if (this.#heldAt === viewport.top && !viewport.following) viewport.toEnd(); // nobody has scrolled meanwhile
      this.#heldAt = null;
      viewport.update();
    }
  }

  /** Within our root, where browsers don't agree on how to ask for it; null for none there. */
  #range() {
    const selection = document.getSelection();
    const ranges = selection?.getComposedRanges?.({ shadowRoots: [this.#root] });
    const own = this.#root.getSelection?.() ?? selection;
    const range = ranges?.[0] ?? (own?.rangeCount ? own.getRangeAt(0) : null);
    return range && this.#scroller.contains(range.startContainer) && this.#scroller.contains(range.endContainer)
      ? range
      : null;
  }
}
