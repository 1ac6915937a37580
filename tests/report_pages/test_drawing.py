# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page is made of, without a browser: charts of the palette's colours with text in them, and HTML that is well formed."""

import re
import struct
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from tests.report_facts import FACTS, drill_facts, load_facts
from tests.report_pages import page

NAMES = {"x": "http://www.w3.org/2000/svg"}
VOID = {"meta", "link", "br", "img", "use", "path"}


def charts(kind, facts):
    from ansible.module_utils.dynabridge_report import drawing  # noqa: PLC0415 - Matplotlib takes seconds

    view = page.VIEWS[kind](page.DOCUMENTS[kind](facts))
    return drawing, {chart["id"]: chart for chart in view["charts"]}


def texts(svg):
    return {found.text for found in ElementTree.fromstring(svg).iterfind(".//x:text", NAMES)}


def named(svg):
    """A fragment of HTML has no namespaces of its own."""
    return svg.replace("<svg ", f'<svg xmlns="{NAMES["x"]}" xmlns:xlink="http://www.w3.org/1999/xlink" ', 1)


def test_a_chart_has_axes_with_units_and_a_legend():
    drawing, found = charts("load_test", load_facts(total=1000, seconds=20.0))
    shown = texts(named(drawing.svg(found["progress"], drawing.WIDE)))
    assert {"loaded", "replicated", "changes", "seconds since the load began", "cn-north-1 → ap-southeast-1"} <= shown


@pytest.mark.parametrize("width", ["WIDE", "NARROW"])
def test_colours_are_variables_and_the_same_chart_gives_the_same_bytes(width):
    """GIVEN a chart WHEN drawn twice THEN byte by byte the same, and no colour is beyond the reader's scheme."""
    drawing, found = charts("drill", drill_facts())
    for chart in found.values():
        first, second = (drawing.svg(chart, getattr(drawing, width)) for _time in range(2))
        assert first == second and not re.search(r"#[0-9a-f]{3,6}\b", re.sub(r'(href="#|url\(#)[^")]*', "", first))
        assert "var(--first)" in first and "var(--font)" in first and "DejaVu" not in first


def test_a_picture_is_sharp_and_its_bytes_are_the_same():
    drawing, found = charts("drill", drill_facts())
    first, second = (drawing.png(found["targets"]) for _time in range(2))
    width, height = struct.unpack(">II", first[16:24])
    assert first == second and width == drawing.PNG_SCALE * drawing.WIDE.width and height > 300


class Tags(HTMLParser):
    """Every tag that is opened is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.attributes = [], set(), {}

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes[tag] = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.add(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


@pytest.mark.parametrize("name", FACTS)
def test_a_page_is_well_formed_and_says_what_it_is(name):
    kind, facts = FACTS[name]
    document = page.DOCUMENTS[kind](facts())
    text = page.page(document, page.VIEWS[kind](document), name).decode()
    tags = Tags()
    tags.feed(text)
    assert tags.open == [] and tags.attributes["html"] == {"lang": "en"} and text.startswith("<!DOCTYPE html>")
    assert {"title", "h1", "h2", "table", "main"} <= tags.seen and "script" not in tags.seen
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text
