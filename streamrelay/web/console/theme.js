// Light or dark. Not a module: it runs before the first paint, so that no page flashes in the wrong colours.
{
  const CHOICES = ['system', 'light', 'dark'];
  const root = document.documentElement;

  const kept = () => {
    try {
      return localStorage.getItem('theme');
    } catch {
      return null; // a browser that keeps nothing for this page
    }
  };

  const keep = (choice) => {
    try {
      if (choice === 'system') localStorage.removeItem('theme');
      else localStorage.setItem('theme', choice);
    } catch {
      // it counts until the page is closed
    }
  };

  const show = (choice) => {
    if (choice === 'system') delete root.dataset.theme;
    else root.dataset.theme = choice;
  };

  const label = (button, choice) => {
    button.setAttribute('aria-label', `Theme: ${choice}`);
    button.title = `Theme: ${choice}`;
    button.querySelector('use').setAttribute('href', `#icon-${choice}`);
  };

  let choice = CHOICES.includes(kept()) ? kept() : 'system';
  show(choice);
  document.addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    label(button, choice);
    button.addEventListener('click', () => {
      choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
      keep(choice);
      show(choice);
      label(button, choice);
    });
  });
}
