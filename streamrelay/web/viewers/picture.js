// The last picture of a screen, which stays, dimmed, while there is no stream.

/** Keep a copy of what a canvas shows, if it shows anything. */
export function keepPicture(screen, canvas) {
  if (!canvas?.width || !canvas.height) return;
  dropPicture(screen);
  const still = document.createElement('canvas');
  still.className = 'viewer-still';
  still.width = canvas.width;
  still.height = canvas.height;
  still.getContext('2d').drawImage(canvas, 0, 0);
  screen.append(still);
}

export function dropPicture(screen) {
  screen.querySelector('.viewer-still')?.remove();
}
