// Third-party code that writes styles as text, under a Content-Security-Policy that forbids inline style.
//
// The policy (style-src 'self') refuses <style> elements with text and style attributes that are set as text; what a
// script sets by the CSS object model passes. These two bring the same to the page by the object model, so that
// neither the third-party code nor the policy has to be changed.

/**
 * Run something that makes <style> elements by `createElement`: what is written into one, then or later, goes to a
 * constructed style sheet of the page, and `remove()` takes that away.
 *
 * xterm.js has an option for the document that it uses, `documentOverride`, but makes one of its three <style>
 * elements in the page's own document all the same (6.0.0). All of them are made while it is opened, at once.
 */
export function withStyles(run) {
  document.createElement = (name, options) =>
    name === 'style' ? styleElement() : Document.prototype.createElement.call(document, name, options);
  try {
    return run();
  } finally {
    delete document.createElement;
  }
}

function styleElement() {
  const element = document.createElement('template'); // holds the place in the tree, and shows nothing
  const sheet = new CSSStyleSheet();
  let text = '';
  document.adoptedStyleSheets.push(sheet);
  Object.defineProperties(element, {
    textContent: {
      get: () => text,
      set(value) {
        text = value;
        sheet.replaceSync(value);
      },
    },
    remove: {
      value() {
        document.adoptedStyleSheets = document.adoptedStyleSheets.filter((other) => other !== sheet);
        Element.prototype.remove.call(element);
      },
    },
  });
  return element;
}

/**
 * Let `setAttribute('style', …)` of one kind of elements set the same declarations by the object model.
 *
 * @param {Function} kind - such as HTMLSpanElement
 */
export function allowStyleAttribute(kind) {
  if (Object.hasOwn(kind.prototype, 'setAttribute')) return;
  Object.defineProperty(kind.prototype, 'setAttribute', {
    configurable: true,
    writable: true,
    value(name, value) {
      if (name === 'style') this.style.cssText = value;
      else Element.prototype.setAttribute.call(this, name, value);
    },
  });
}
