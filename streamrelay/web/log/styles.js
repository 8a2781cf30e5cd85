// How <stream-log> looks: a stylesheet made by script, as a strict policy lets neither style elements nor attributes pass.

const CSS = `
:host { display: flex; flex-direction: column; position: relative; min-height: 8rem; overflow: hidden;
  font: var(--stream-log-font, 14px/1.4 system-ui, sans-serif);
  --ground: var(--stream-log-ground, light-dark(#ffffff, #14181f)); --text: var(--stream-log-text, light-dark(#1a1f28, #e4e8ee));
  --muted: var(--stream-log-muted, light-dark(#566070, #98a3b3)); --line: var(--stream-log-line, light-dark(#dce1e8, #272d38));
  --edge: light-dark(#868f9c, #697485); --accent: var(--stream-log-accent, light-dark(#2f5bd7, #8caeff));
  --on-accent: light-dark(#ffffff, #0e1526); --hover: light-dark(#edf0f5, #1f2530); --bad: light-dark(#bd2c2c, #ff8a80);
  --wait: light-dark(#8a4f00, #e5b454); --found: light-dark(#ffe27a, #6a5300); --here: light-dark(#ffb454, #a06a00);
  --c0: light-dark(#1a1f28, #8a94a3); --c1: light-dark(#b3261e, #ff8a80); --c2: light-dark(#17702f, #4ac77e);
  --c3: light-dark(#7a5200, #e5b454); --c4: light-dark(#2450c4, #8caeff); --c5: light-dark(#8a2a9b, #e29af0);
  --c6: light-dark(#0b6a75, #5ed0dd); --c7: light-dark(#566070, #c4ccd7); --c8: light-dark(#5b6472, #98a3b3);
  --c9: light-dark(#c22820, #ffa59d); --c10: light-dark(#1b7a37, #72dd9e); --c11: light-dark(#805700, #f3cb78);
  --c12: light-dark(#2f5bd7, #adc6ff); --c13: light-dark(#9a35ac, #f0b6fa); --c14: light-dark(#0d7480, #8be4ee);
  --c15: light-dark(#3b4350, #ffffff);
  --b0: #1a1f28; --b1: #b3261e; --b2: #17702f; --b3: #7a5200; --b4: #2450c4; --b5: #8a2a9b; --b6: #0b6a75; --b7: #c4ccd7;
  --b8: #5b6472; --b9: #d9443b; --b10: #2f9e57; --b11: #b98a1c; --b12: #5c83ee; --b13: #b45cc5; --b14: #2b98a5; --b15: #ffffff;
  color: var(--text); background: var(--ground); color-scheme: inherit; }
:host([hidden]), [hidden] { display: none !important; }
*, ::before, ::after { box-sizing: border-box; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
button, input { font: inherit; color: inherit; background: transparent; border: 1px solid var(--edge); border-radius: .375rem;
  min-height: 2rem; padding: 0 .6rem; }
button { cursor: pointer; white-space: nowrap; }
button:hover:not(:disabled) { background: var(--hover); }
button:disabled { opacity: .5; cursor: default; }
button[aria-pressed="true"] { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.bar { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; padding: .4rem; border-bottom: 1px solid var(--line); }
.group { display: flex; gap: .25rem; align-items: center; flex: 1 1 16rem; min-width: 0; max-width: 30rem; }
.group input { flex: 1; min-width: 5rem; }
.group.bad input { border-color: var(--bad); outline-color: var(--bad); }
.count { color: var(--muted); font-size: .8125rem; min-width: 4.5em; white-space: nowrap; font-variant-numeric: tabular-nums; }
.spring { flex: 1; }
.frame { position: relative; flex: 1; min-height: 0; }
.scroller { position: absolute; inset: 0; overflow: auto scroll; overflow-anchor: none; overscroll-behavior: contain;
  font: var(--stream-log-lines, .8125rem/1.55 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace); tab-size: 8; }
.spacer { position: relative; min-width: 100%; width: max-content; }
.layer { position: sticky; top: 0; overflow: visible clip; }
.list { width: max-content; min-width: 100%; }
.row { display: flex; height: 1.55em; padding: 0 .5rem; white-space: pre; unicode-bidi: isolate; }
.row:hover { background: var(--hover); }
.row.current { box-shadow: inset 3px 0 var(--accent); background: var(--hover); }
.text { flex: 1; min-height: 1.55em; unicode-bidi: isolate; }
.time { display: none; color: var(--muted); padding-right: 1ch; user-select: none; }
.times .time { display: inline; }
.wrap .spacer, .wrap .list { width: auto; }
.wrap .row { height: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.wrap .text { min-width: 0; }
.mark { color: var(--muted); font-style: italic; }
.mark .text::before { content: "\\2014\\2002"; }
.mark .text::after { content: "\\2002\\2014"; }
.mark.skipped, .mark.lost { color: var(--wait); font-weight: 600; }
mark { color: inherit; background: var(--found); border-radius: 2px; }
.current mark { background: var(--here); }
.more { min-height: 0; padding: 0 .4em; line-height: 1.3; color: var(--accent); border-color: currentColor; font-size: .9em; }
.newest { position: absolute; right: 1.5rem; bottom: 1rem; background: var(--accent); border-color: var(--accent);
  color: var(--on-accent); box-shadow: 0 2px 10px rgb(0 0 0 / .3); min-height: 2.25rem; }
.newest:hover:not(:disabled) { background: var(--accent); filter: brightness(1.1); }
.state { display: flex; gap: 1em; padding: .25rem .6rem; border-top: 1px solid var(--line); color: var(--muted); font-size: .8125rem;
  font-variant-numeric: tabular-nums; }
.state .words { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
dialog { width: min(60rem, 92vw); max-height: 85vh; padding: 0; border: 1px solid var(--edge); border-radius: .5rem; color: var(--text);
  background: var(--ground); }
dialog::backdrop { background: rgb(0 0 0 / .4); }
dialog header { display: flex; gap: .4rem; align-items: center; padding: .5rem; border-bottom: 1px solid var(--line); }
dialog pre { margin: 0; padding: .75rem; max-height: 70vh; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere;
  font: .8125rem/1.55 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.bold { font-weight: 700; } .faint { opacity: .7; } .italic { font-style: italic; }
.underline { text-decoration: underline; } .struck { text-decoration: line-through; }
.underline.struck { text-decoration: underline line-through; }
.front-ground { color: var(--ground); } .back-text { background: var(--text); }
${Array.from({ length: 16 }, (_, at) => `.front-${at} { color: var(--c${at}); } .back-${at} { background: var(--b${at}); }`).join('\n')}
${[0, 1, 2, 3, 4, 5, 6, 8].map((at) => `.back-${at}:not([class*="front-"])`).join(', ')} { color: #fff; }
${[7, 9, 10, 11, 12, 13, 14, 15].map((at) => `.back-${at}:not([class*="front-"])`).join(', ')} { color: #111; }
${Array.from({ length: 8 }, (_, at) => `[class*="back-"].front-${at} { color: var(--b${at}); }`).join('\n')}
@media (pointer: coarse) { button, input { min-height: 2.75rem; } .more { min-height: 0; } }
@media (max-width: 40rem) { .bar { gap: .3rem; } .bar button { padding: 0 .45rem; } .group { flex-basis: 100%; max-width: none; } }
@media (forced-colors: active) { .row.current { outline: 1px solid; } button[aria-pressed="true"] { outline: 2px solid Highlight; } }
`;

let sheet = null;

/** The one sheet of all elements of a page. */
export function styles() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
