# SPDX-License-Identifier: GPL-3.0-or-later
"""The style of a page: light and dark, phone and desktop, and print, which is light."""

from __future__ import annotations

from ansible.module_utils.dynabridge_report.palette import variables

_LIGHT = (
    f"{variables('light')} --page: #f4f6f8; --card: #ffffff; --good: #00664c; --good-back: #e0f3ec; --bad: #a3231c;"
    " --bad-back: #fdeae8;"
)
_DARK = (
    f"{variables('dark')} --page: #14181d; --card: #1e242b; --good: #6fe0bb; --good-back: #163329; --bad: #ffa59e;"
    " --bad-back: #43201e;"
)

CSS = f"""
:root {{ color-scheme: light dark; --font: system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif; {_LIGHT} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ {_DARK} }} }}
* {{ box-sizing: border-box; }}
html {{ -webkit-text-size-adjust: 100%; }}
body {{ margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 var(--font); overflow-wrap: break-word; }}
.word {{ display: inline-block; max-width: 100%; }}
section > table {{ table-layout: fixed; }}
main, header, footer {{ max-width: 880px; margin: 0 auto; padding: 0 16px; }}
header {{ padding-top: 32px; }}
footer {{ padding: 8px 16px 40px; color: var(--muted); font-size: 14px; }}
.brand {{ margin: 0; color: var(--muted); font-size: 14px; letter-spacing: .04em; }}
h1 {{ margin: 0 0 4px; font-size: 30px; line-height: 1.2; letter-spacing: -.01em; }}
h2 {{ margin: 0; font-size: 19px; line-height: 1.3; }}
h3 {{ margin: 16px 0 4px; font-size: 15px; }}
p {{ margin: 4px 0 0; }}
.lead, .about, .note {{ color: var(--muted); }}
.about {{ font-size: 15px; }}
.times {{ color: var(--muted); font-size: 14px; }}
.verdict {{ display: flex; gap: 12px; align-items: baseline; margin: 20px 0; padding: 12px 16px; border-radius: 10px; }}
.verdict strong {{ white-space: nowrap; }}
.good {{ background: var(--good-back); color: var(--good); }}
.bad {{ background: var(--bad-back); color: var(--bad); }}
.notes {{ margin: 0 0 20px; padding: 12px 16px 12px 36px; border-radius: 10px; background: var(--card);
  border-left: 4px solid var(--bad); }}
.tiles {{ display: grid; grid-template-columns: repeat(4, 1fr); gap: 12px; margin: 0 0 20px; padding: 0; }}
.tiles > div, section {{ background: var(--card); border: 1px solid var(--grid); border-radius: 12px; }}
.tiles > div {{ padding: 12px 14px; display: flex; flex-direction: column; }}
.tiles dt {{ color: var(--muted); font-size: 14px; }}
.tiles dd {{ margin: 0; }}
.big {{ font-size: 26px; line-height: 1.25; font-weight: 650; font-variant-numeric: tabular-nums; }}
.unit {{ color: var(--muted); font-size: 14px; font-weight: 400; white-space: nowrap; }}
.note {{ font-size: 13px; line-height: 1.35; }}
section {{ margin: 0 0 20px; padding: 18px 16px 14px; }}
.chart {{ margin: 12px 0 0; }}
.chart svg {{ display: block; width: 100%; height: auto; overflow: visible; }}
.chart svg * {{ stroke-linejoin: round; stroke-linecap: butt; }}
.narrow {{ display: none; }}
table {{ border-collapse: collapse; width: 100%; margin-top: 10px; font-size: 15px; }}
th, td {{ padding: 6px 8px; border-bottom: 1px solid var(--grid); text-align: right; vertical-align: top; }}
tr:last-child > * {{ border-bottom: 0; }}
th:first-child {{ text-align: left; padding-left: 0; }}
th:last-child, td:last-child {{ padding-right: 0; }}
tbody th {{ font-weight: 400; color: var(--muted); }}
thead th {{ font-weight: 600; vertical-align: bottom; }}
td {{ font-variant-numeric: tabular-nums; }}
thead th {{ overflow-wrap: anywhere; }}
details {{ margin-top: 10px; font-size: 15px; }}
summary {{ cursor: pointer; color: var(--muted); padding: 6px 0; }}
@media (max-width: 760px) {{ .tiles {{ grid-template-columns: repeat(2, 1fr); }} }}
@media (max-width: 640px) {{
  header {{ padding-top: 20px; }}
  h1 {{ font-size: 24px; }}
  main, header, footer {{ padding-left: 10px; padding-right: 10px; }}
  section {{ padding: 14px 10px 10px; }}
  .big {{ font-size: 22px; }}
  .tiles {{ gap: 8px; }}
  .tiles > div {{ padding: 10px; }}
  table {{ font-size: 14px; }}
  th, td {{ padding: 6px 5px; }}
  .verdict {{ display: block; }}
}}
@media screen and (max-width: 640px) {{
  .wide {{ display: none; }}
  .chart.narrow {{ display: block; max-width: 440px; margin-left: auto; margin-right: auto; }}
}}
@media print {{
  @page {{ margin: 14mm; }}
  :root {{ color-scheme: light; --page: #ffffff; }}
  body {{ font-size: 11pt; print-color-adjust: exact; -webkit-print-color-adjust: exact; }}
  header {{ padding-top: 0; }}
  .tiles {{ grid-template-columns: repeat(4, 1fr); }}
  section, .tiles > div, .chart, tr {{ break-inside: avoid; }}
  h2, h3 {{ break-after: avoid; }}
  details {{ display: none; }}
}}
"""
