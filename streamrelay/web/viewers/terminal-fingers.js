// A finger on a terminal scrolls it, as a wheel would; xterm.js 6 knows no fingers.

/** Let fingers in `element` scroll: the lines of before follow the finger; a program that has the screen is told. */
export function scrollByFinger(element, terminal) {
  let last = 0;
  let rest = 0; // of a row
  element.addEventListener('pointerdown', (event) => {
    [last, rest] = [event.clientY, 0];
  });
  element.addEventListener('pointermove', (event) => {
    if (event.pointerType !== 'touch' || !event.isPrimary) return;
    const height = element.clientHeight / terminal.rows;
    const way = rest + (last - event.clientY) / height;
    const rows = Math.trunc(way);
    [last, rest] = [event.clientY, way - rows];
    if (!rows) return;
    if (terminal.buffer.active.type === 'normal' && terminal.modes.mouseTrackingMode === 'none') {
      terminal.scrollLines(rows);
    } else turnWheel(event, rows);
  });
}

function turnWheel({ target, clientX, clientY }, deltaY) {
  const place = { clientX, clientY, bubbles: true, cancelable: true };
  target.dispatchEvent(new WheelEvent('wheel', { ...place, deltaY, deltaMode: WheelEvent.DOM_DELTA_LINE }));
}
