# SPDX-License-Identifier: GPL-3.0-or-later
"""The page. It needs nothing but itself, and its policy lets it ask for nothing else. No script: all of it is drawn."""

from __future__ import annotations

PAGE = """\
{%- macro whole(text) -%}
{% for word in text.split(' ') %}<span class="word">{{ word }}</span>{{ '' if loop.last else ' ' }}{% endfor %}
{%- endmacro -%}
{%- macro show(cell) -%}
{%- if cell.path and cell.value is not none -%}
<data value="{{ cell.value }}" data-path="{{ cell.path }}">{{ cell.text }}</data>
{%- else -%}{{ whole(cell.text) }}{%- endif -%}
{%- if cell.unit %} <span class="unit">{{ cell.unit }}</span>{% endif -%}
{%- endmacro -%}
{%- macro table(shown, title) %}
{% if title and shown.title %}<h3>{{ shown.title }}</h3>{% endif %}
<table>
<thead><tr><th scope="col"><span aria-hidden="true"></span></th>
{%- for column in shown.columns %}<th scope="col">{{ whole(column) }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in shown.rows -%}
<tr><th scope="row">{% if row.label is mapping %}{{ show(row.label) }}{% else %}{{ row.label }}{% endif %}</th>
{%- for cell in row.cells %}<td>{{ show(cell) }}</td>{% endfor %}</tr>
{% endfor -%}
</tbody>
</table>
{%- endmacro -%}
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src data:">
<meta name="generator" content="dynabridge">
<link rel="icon" href="data:,">
<title>{{ view.title }}</title>
<style>{{ css }}</style>
</head>
<body>
<header>
<p class="brand">dynabridge</p>
<h1>{{ view.title }}</h1>
<p class="lead">{{ view.lead }}</p>
{% if began %}<p class="times">{{ began }} to {{ ended }}, UTC</p>{% endif %}
</header>
<main>
<div class="verdict {{ 'good' if view.verdict.ok else 'bad' }}">
<strong>{{ '✓' if view.verdict.ok else '✗' }} {{ view.verdict.word }}</strong> <span>{{ view.verdict.text }}</span>
</div>
{% if view.notes %}
<ul class="notes">
{% for note in view.notes %}<li>{{ note }}</li>
{% endfor %}
</ul>
{% endif %}
<dl class="tiles">
{% for tile in view.tiles %}
<div><dt>{{ tile.label }}</dt><dd class="big">{{ show(tile) }}</dd><dd class="note">{{ whole(tile.note) }}</dd></div>
{% endfor %}
</dl>
{% for chart in view.charts %}
<section id="chart-{{ chart.id }}">
<h2>{{ chart.title }}</h2>
<p class="about">{{ chart.about }}</p>
<div class="chart wide">{{ drawn[chart.id].wide | safe }}</div>
<div class="chart narrow">{{ drawn[chart.id].narrow | safe }}</div>
{% if chart.numbers %}
<details><summary>Numbers</summary>
{% for shown in chart.numbers %}{{ table(shown, true) }}{% endfor %}
</details>
{% endif %}
</section>
{% endfor %}
{% for shown in view.tables %}
<section>
{% if shown.title %}<h2>{{ shown.title }}</h2>{% endif %}
{{ table(shown, false) }}
</section>
{% endfor %}
</main>
<footer>All figures: {{ name }}.json. The charts as pictures: {{ name }}-*.png. Times are UTC.</footer>
</body>
</html>
"""
