// Third-party code, loaded when a viewer is first used. It lies in ../third-party/, as npm has it, unmodified.

const FOLDER = new URL('../third-party/', import.meta.url);
const sheets = new Map(); // promises of the style sheets that the page has, by address

/**
 * Import a module of third-party code.
 *
 * @param {string} viewer - whose it is, for the error, such as "the terminal's viewer (xterm.js)"
 * @param {string} path - under third-party/
 * @throws {Error} one that says so in words if the module isn't there
 */
export async function load(viewer, path) {
  const address = new URL(path, FOLDER);
  try {
    return await import(address.href);
  } catch (cause) {
    throw await missing(viewer, address, cause);
  }
}

/** Let the page have a style sheet of third-party code, once; resolves as soon as it counts. */
export function loadStyle(viewer, path) {
  return style(viewer, new URL(path, FOLDER));
}

/** Let the page have the viewers' own style sheet. */
export function ownStyle() {
  return style("the viewers' style sheet", new URL('viewers.css', import.meta.url));
}

function style(viewer, address) {
  if (!sheets.has(address.href)) {
    sheets.set(
      address.href,
      linked(address).catch(async (cause) => {
        sheets.delete(address.href); // the next attempt asks anew
        throw await missing(viewer, address, cause);
      }),
    );
  }
  return sheets.get(address.href);
}

/** @returns {Promise<void>} */
function linked(address) {
  return new Promise((loaded, failed) => {
    const link = document.createElement('link');
    link.rel = 'stylesheet';
    link.href = address.href;
    link.onload = () => loaded();
    link.onerror = () => {
      link.remove();
      failed(new Error(`${address.pathname} can't be loaded`));
    };
    document.head.append(link);
  });
}

/** Whether it isn't installed, or only can't be had now. */
async function missing(viewer, address, cause) {
  let gone = false;
  try {
    gone = (await fetch(address, { method: 'HEAD' })).status === 404;
  } catch {
    // the platform can't be reached
  }
  return new Error(gone ? `${viewer} is not installed on this platform` : `${viewer} can't be loaded`, { cause });
}
