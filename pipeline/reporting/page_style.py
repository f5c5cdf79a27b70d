"""How the page looks: light or dark as the reader prefers, one column, from 360 px to paper."""

from typing import Final

_LOOKS: Final = """
:root { color-scheme: light dark;
  --paper: #fbfaf8; --card: #fff; --ink: #1d1f24; --soft: #5d626d; --line: #e2e0da;
  --broken: #b3261e; --fine: #8d98a8; --good: #2e7d4f; --accent: #1f4f8f; --wash: #f1efe9;
  --lost: 179 38 30; }
@media (prefers-color-scheme: dark) { :root {
  --paper: #15171b; --card: #1d2025; --ink: #e9e8e4; --soft: #a3a8b3; --line: #33373f;
  --broken: #f2827a; --fine: #657083; --good: #6cc294; --accent: #8db7f0; --wash: #262a31;
  --lost: 242 130 122; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem; }
h1 { font-size: 1rem; font-weight: 600; margin: 0; color: var(--soft); }
h2 { font-size: 1.4rem; line-height: 1.25; margin: 3.25rem 0 .35rem; letter-spacing: -.01em; }
h3 { font-size: 1.1rem; line-height: 1.3; margin: 0; }
h4 { font-size: .95rem; margin: 0; font-weight: 600; }
p { margin: .4rem 0; }
.soft, .period { color: var(--soft); }
.small, .period { font-size: .875rem; }
.about { color: var(--soft); max-width: 44rem; margin: 0 0 1.1rem; }
.headline { font-size: clamp(1.3rem, 1rem + 1.6vw, 1.9rem); line-height: 1.32; font-weight: 600;
  letter-spacing: -.015em; margin: 1rem 0 .6rem; text-wrap: pretty; }
.explanation { font-size: 1.1rem; max-width: 46rem; margin: 0 0 1.75rem; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: 1px;
  margin: 0; background: var(--line); border: 1px solid var(--line); border-radius: .6rem;
  overflow: hidden; }
.figures div { background: var(--card); padding: .9rem 1rem; }
.figures dt { color: var(--soft); font-size: .85rem; line-height: 1.35; }
.figures dd { margin: 0 0 .15rem; font-size: clamp(1.1rem, .8rem + 1.4vw, 1.5rem);
  font-weight: 650;
  font-variant-numeric: tabular-nums; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem;
  padding: 1.15rem 1.25rem; margin: 0 0 1rem; break-inside: avoid; }
.card > header { display: flex; flex-wrap: wrap; gap: .1rem 1rem; align-items: baseline;
  justify-content: space-between; }
.first { border-left: .3rem solid var(--broken); }
.loss { color: var(--broken); font-weight: 650; font-variant-numeric: tabular-nums; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr));
  gap: .9rem 1.75rem; margin-top: .8rem; }
.facts ul { list-style: none; margin: .2rem 0 0; padding: 0; }
.facts li { display: flex; justify-content: space-between; gap: .75rem; font-size: .925rem;
  border-bottom: 1px solid var(--line); padding: .15rem 0; }
.facts li:last-child { border-bottom: 0; }
.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.for { margin-top: 1rem; }
.for + .for { border-top: 1px solid var(--line); padding-top: 1rem; }
.gauge { display: grid; grid-template-columns: 3.6rem 1fr 3.4rem; gap: .6rem; align-items: center;
  font-size: .925rem; margin: .3rem 0; }
.bar { display: block; width: 100%; height: .7rem; border-radius: .35rem; overflow: hidden;
  background: var(--wash); print-color-adjust: exact; -webkit-print-color-adjust: exact; }
svg .good { fill: var(--good); } svg .bad { fill: var(--broken); }
svg .even { fill: var(--fine); } svg .blue { fill: var(--accent); }
.tag { display: inline-block; font-size: .75rem; line-height: 1.4; border: 1px solid var(--line);
  border-radius: 1rem; padding: 0 .55rem; color: var(--soft); white-space: nowrap; }
.tag.kept { color: var(--good); border-color: currentColor; }
.tag.missed { color: var(--broken); border-color: currentColor; }
table { border-collapse: collapse; width: 100%; font-size: .925rem; background: var(--card);
  border: 1px solid var(--line); border-radius: .6rem; overflow: hidden; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem; }
th { font-weight: 600; font-size: .8rem; color: var(--soft); background: var(--wash); }
tr + tr td { border-top: 1px solid var(--line); }
td.number, th.number { text-align: right; }
td .bar { min-width: 7rem; margin-top: .42rem; }
.beside { display: grid; grid-template-columns: 3rem 1fr; gap: .6rem; }
details { margin-top: .6rem; }
summary { cursor: pointer; color: var(--accent); font-size: .925rem; padding: .25rem 0; }
details table { margin-top: .4rem; }
tr { break-inside: avoid; }
.path { list-style: none; display: flex; flex-wrap: wrap; gap: .1rem 0; margin: 0; padding: 0; }
.path li:not(:last-child)::after { content: "→"; color: var(--soft); margin: 0 .45rem; }
.promises { list-style: none; padding: 0; margin: .5rem 0 1rem; font-size: .925rem; }
.promises li { margin: .2rem 0; }
.channel { display: grid; grid-template-columns: 7.5rem 1fr; gap: .4rem 1rem; padding: .8rem 0;
  border-top: 1px solid var(--line); break-inside: avoid; }
.channel h3 { font-size: .95rem; }
.cells { display: flex; flex-wrap: wrap; gap: .35rem; }
.cell { font-size: .8rem; line-height: 1.35; padding: .25rem .55rem; border-radius: .35rem;
  border: 1px solid var(--line); print-color-adjust: exact; -webkit-print-color-adjust: exact;
  background: rgb(var(--lost) / calc(var(--broke, 0) * .055)); }
.notes { font-size: .9rem; color: var(--soft); padding-left: 1.1rem; }
.notes li { margin: .35rem 0; }
@media (max-width: 40rem) {
  main { padding: 1.5rem 1rem 3rem; }
  table, tbody, tr, td { display: block; }
  thead { display: none; }
  tr { padding: .6rem 0; }
  tr + tr { border-top: 1px solid var(--line); }
  tr + tr td { border-top: 0; }
  td, td.number { text-align: left; padding: .12rem .9rem; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); }
  .beside { display: inline; } .beside .bar { display: none; }
  .channel { grid-template-columns: 1fr; }
}
@media print {
  :root { color-scheme: light; --paper: #fff; --card: #fff; --ink: #000; --soft: #444;
    --line: #ccc; --wash: #f3f3f3; --broken: #b3261e; --good: #2e7d4f; --fine: #8d98a8;
    --accent: #1f4f8f; --lost: 179 38 30; }
  @page { margin: 14mm; }
  html { font-size: 11px; }
  body { font-size: 1rem; }
  main { max-width: none; padding: 0; }
  h2, .about { break-after: avoid; break-inside: avoid; }
  h2 { margin-top: 1.75rem; }
  details::details-content { content-visibility: visible; block-size: auto; }
  summary { color: var(--soft); list-style: none; }
}
"""

_SHADES: Final = "".join(f".b{tenth} {{ --broke: {tenth}; }}\n" for tenth in range(1, 11))

STYLE: Final = _LOOKS + _SHADES
"""One sheet, in the page itself: it asks for nothing from anywhere."""
