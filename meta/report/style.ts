/** The report's style sheet: light and dark, colours that stay apart for readers who see few of them (after P. Tol's bright scheme). */
export const STYLE = `
:root { color-scheme: light dark; --ink: #1d2430; --soft: #5b6675; --paper: #fbfbfc; --card: #ffffff; --rule: #e2e6ec; --tag: #eef2f7;
  --c0: #d0286c; --c1: #1f6fd1; --c2: #c27a00; --c3: #0f8a5f; --c4: #7b4fc9; --c5: #0b8fa3; --c6: #9a6a4a; --c7: #6b7280; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7ebf1; --soft: #9aa6b6; --paper: #12161c; --card: #1a2029; --rule: #2d3643; --tag: #28313d;
  --c0: #ff6fa5; --c1: #6cb0ff; --c2: #f0b04a; --c3: #4fcf9f; --c4: #b795ff; --c5: #56cfe0; --c6: #cfa07d; --c7: #a7b0bd; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 8px; letter-spacing: -0.01em; }
h2 { font-size: 18px; margin: 0 0 6px; }
.lead { font-size: 17px; margin: 0 0 14px; max-width: 70ch; }
.note { color: var(--soft); margin: 0 0 8px; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 18px 20px; margin: 18px 0; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: 4px 18px; padding: 0; margin: 0; }
.legend small, .tag { font-weight: 500; font-size: 12px; color: var(--soft); background: var(--tag); border-radius: 99px; padding: 2px 8px; }
.swatch { display: inline-block; width: 18px; height: 4px; border-radius: 2px; margin-right: 7px; vertical-align: middle; background: currentColor; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13.5px; margin: 8px 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding: 4px 0; }
th, td { padding: 4px 12px 4px 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--rule); }
thead th { color: var(--soft); font-weight: 500; }
th:first-child, td:first-child { text-align: left; }
tbody tr:last-child td { border-bottom: 0; }
.facts th { color: var(--soft); font-weight: 500; }
.facts td { text-align: left; white-space: normal; }
.chart { width: 100%; height: auto; display: block; margin: 6px 0; }
.chart text { font-size: 12px; fill: var(--soft); }
.chart .axis { font-size: 12px; }
.grid { stroke: var(--rule); stroke-width: 1; }
.line { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linejoin: round; }
.line.strong { stroke-width: 2.8; }
.band { fill: currentColor; opacity: 0.13; }
.chart .name { fill: currentColor; font-size: 12.5px; }
.chart .name.strong { font-weight: 700; }
.chart .cross { fill: currentColor; font-size: 20px; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
.c4 { color: var(--c4); } .c5 { color: var(--c5); } .c6 { color: var(--c6); } .c7 { color: var(--c7); }
details { margin-top: 6px; } summary { cursor: pointer; color: var(--soft); }
`;
