// How <stream-log> looks: a stylesheet made by script, as a strict policy lets no style elements and attributes pass.

import { both, rules, THEMES } from './colors.js';

const { light, dark } = THEMES;
const color = (at) => both(light.colors[at], dark.colors[at]);
const CSS = `
:host { display: block; position: relative; min-height: 8rem; overflow: hidden;
  font: var(--stream-log-font, 14px/1.4 system-ui, sans-serif);
  --_ground: var(--stream-log-ground, light-dark(${light.ground}, ${dark.ground}));
  --_text: var(--stream-log-text, light-dark(${light.text}, ${dark.text}));
  --_muted: var(--stream-log-muted, light-dark(#566070, #98a3b3));
  --_line: var(--stream-log-line, light-dark(#dce1e8, #272d38));
  --_edge: light-dark(#868f9c, #697485); --_accent: var(--stream-log-accent, light-dark(#2f5bd7, #8caeff));
  --_on-accent: light-dark(#ffffff, #0e1526); --_hover: light-dark(#edf0f5, #1f2530);
  --_bad: light-dark(#bd2c2c, #ff8a80);
  --_wait: light-dark(#8a4f00, #e5b454); --_found: light-dark(#ffe27a, #6a5300); --_here: light-dark(#ffb454, #a06a00);
  color: var(--_text); background: var(--_ground); color-scheme: inherit; }
.all { display: flex; flex-direction: column; flex: 1; min-width: 0; height: 100%; min-height: inherit; } /* however the page shows the host */
:host([hidden]), [hidden] { display: none !important; }
*, ::before, ::after { box-sizing: border-box; }
:focus-visible { outline: 2px solid var(--_accent); outline-offset: -2px; }
button, input, select { font: inherit; color: inherit; background: transparent; border: 1px solid var(--_edge);
  border-radius: .375rem;
  min-height: 2rem; padding: 0 .6rem; }
button { cursor: pointer; white-space: nowrap; }
button:hover:not(:disabled) { background: var(--_hover); }
button:disabled { opacity: .5; cursor: default; }
button[aria-pressed="true"], button[aria-pressed="true"]:hover { background: var(--_accent); border-color: var(--_accent); color: var(--_on-accent); }
.bar { display: flex; flex-wrap: wrap; gap: .4rem; align-items: center; padding: .4rem;
  border-bottom: 1px solid var(--_line); }
.bar button, .bar select { padding: 0 .45rem; }
.group { display: flex; gap: .25rem; align-items: center; flex: 1 1 14rem; min-width: min-content; max-width: 34rem; }
.group:last-child { flex: 2 1 20rem; }
.group input { flex: 1; width: 4rem; min-width: 4rem; }
.group.bad input { border-color: var(--_bad); outline-color: var(--_bad); }
.sources { display: flex; gap: .25rem .75rem; align-items: center; padding: .25rem .4rem; overflow: auto hidden;
  border-bottom: 1px solid var(--_line); font-size: .8125rem; }
.one { flex: none; display: flex; gap: .4rem; align-items: center; }
.sources button, .sources button[aria-pressed="true"], .sources button[aria-pressed="true"]:hover { min-height: 1.6rem;
  padding: 0 .5rem; border-color: var(--_edge); background: transparent; font-weight: 600; }
.sources button:hover, .sources button[aria-pressed="true"]:hover { background: var(--_hover); }
.sources button[aria-pressed="false"] span { color: var(--_muted); text-decoration: line-through; }
.told { max-width: 24rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: var(--_wait); }
.told:empty { display: none; }
.count { color: var(--_muted); font-size: .8125rem; min-width: 4.5em; white-space: nowrap;
  font-variant-numeric: tabular-nums; }
.spring { flex: 1; }
.frame { position: relative; flex: 1; min-height: 0; }
.scroller { position: absolute; inset: 0; overflow: auto scroll; overflow-anchor: none; overscroll-behavior: contain;
  font: var(--stream-log-lines, .8125rem/1.55 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace);
  tab-size: 8; }
.spacer { position: relative; min-width: 100%; width: max-content; }
.layer { position: sticky; top: 0; overflow: visible clip; }
.list { width: max-content; min-width: 100%; }
.row { display: flex; height: 1.55em; padding: 0 .5rem; white-space: pre; unicode-bidi: isolate; }
.row:hover { background: var(--_hover); }
.row.current { box-shadow: inset 3px 0 var(--_accent); background: var(--_hover); }
.text { flex: 1; min-height: 1.55em; unicode-bidi: isolate; }
.time { display: none; color: var(--_muted); padding-right: 1ch; user-select: none; }
.times .time { display: inline; }
.source { flex: none; width: var(--_names); max-width: 24ch; margin-right: 1ch; overflow: hidden; text-overflow: ellipsis;
  user-select: none; }
.wrap .spacer, .wrap .list { width: auto; }
.wrap .row { height: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.wrap .text { min-width: 0; }
.mark { color: var(--_muted); font-style: italic; }
.mark .text::before { content: "\\2014\\2002"; }
.mark .text::after { content: "\\2002\\2014"; }
.mark.skipped, .mark.lost, .mark.note { color: var(--_wait); font-weight: 600; }
mark { color: var(--_text); background: var(--_found); border-radius: 2px; }
.current mark { background: var(--_here); }
.over::after { content: "\\2002\\21ba"; color: var(--_muted); }
.level-fatal .text, .level-error .text { color: var(--_bad); }
.level-warn .text { color: var(--_wait); }
.level-debug .text, .level-trace .text { color: var(--_muted); }
.level-fatal .text { font-weight: 700; }
.json-key { color: var(--_accent); } .json-string { color: ${color(2)}; } .json-value { color: ${color(5)}; }
.fold { min-height: 0; margin-left: 1ch; padding: 0 .5em; line-height: 1.3; font-size: .9em; color: var(--_muted);
  border-color: var(--_line); user-select: none; }
.more { min-height: 0; padding: 0 .4em; line-height: 1.3; color: var(--_accent); border-color: currentColor;
  font-size: .9em; }
.newest { position: absolute; right: 1.5rem; bottom: 1rem; background: var(--_accent); border-color: var(--_accent);
  color: var(--_on-accent); box-shadow: 0 2px 10px rgb(0 0 0 / .3); min-height: 2.25rem; }
.newest:hover:not(:disabled) { background: var(--_accent); filter: brightness(1.1); }
.state { display: flex; align-items: center; gap: .5rem; padding: .15rem .4rem .15rem .6rem;
  border-top: 1px solid var(--_line); color: var(--_muted); font-size: .8125rem;
  font-variant-numeric: tabular-nums; }
.state .words { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.state button { min-height: 1.5rem; border-color: transparent; color: var(--_accent); padding: 0 .4rem; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
dialog { width: min(60rem, 92vw); max-height: 85vh; padding: 0; border: 1px solid var(--_edge); border-radius: .5rem;
  color: var(--_text);
  background: var(--_ground); }
dialog::backdrop { background: rgb(0 0 0 / .4); }
dialog header { display: flex; gap: .4rem; align-items: center; padding: .5rem; border-bottom: 1px solid var(--_line); }
dialog pre { margin: 0; padding: .75rem; max-height: 70vh; overflow: auto; white-space: pre-wrap;
  overflow-wrap: anywhere;
  font: .8125rem/1.55 ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.bold { font-weight: 700; } .faint { font-weight: 300; }
.faint:not([class*="front-"], [class*="back-"]) { opacity: .7; } .italic { font-style: italic; }
.underline { text-decoration: underline; } .struck { text-decoration: line-through; }
.underline.struck { text-decoration: underline line-through; }
.front-ground { color: var(--_ground); } .back-text { background: var(--_text); }
${rules().join('\n')}
.find { display: none; }
@media (pointer: coarse) { button, input, select { min-height: 2.75rem; } .more { min-height: 0; } }
@media (max-width: 40rem) { .bar { gap: .3rem; } .find { display: block; } .bar:not(.finding) .group { display: none; } .group { flex-basis: 100%;
  max-width: none; } .source { max-width: 9ch; } .told { max-width: 40vw; } }
@media (forced-colors: active) { .row.current { outline: 1px solid; }
  button[aria-pressed="true"], button[aria-pressed="true"]:hover { outline: 2px solid Highlight; } }
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
