# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages of reports as a reader sees them: in a real browser, on a phone and a desktop, light and dark, and in print."""

from __future__ import annotations

import json
import re
import shutil

import pytest

from dynabridge.report_figures import at
from tests.report_facts import FACTS
from tests.report_pages import page as report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1280, "height": 900}
LOOKS = [(scheme, size) for scheme in ("light", "dark") for size in (PHONE, DESKTOP)]

# Visible texts of each chart, each with its box: what does not overlap when nothing is cut or hidden.
TEXTS = """chart => [...chart.querySelectorAll('text')].map(text => {
  const box = text.getBoundingClientRect();
  return {text: text.textContent, left: box.left, right: box.right, top: box.top, bottom: box.bottom,
          size: box.height, colour: getComputedStyle(text).fill};
})"""
BOX = """element => { const box = element.getBoundingClientRect(); return {left: box.left, right: box.right, top: box.top,
  bottom: box.bottom, width: box.width, height: box.height}; }"""
# An element that is wider inside than outside is cut, or pushes the page.
CUT = """() => [...document.querySelectorAll('body *')].filter(element => !element.closest('svg') &&
  element.getClientRects().length && element.scrollWidth > element.clientWidth + 1 &&
  !['inline'].includes(getComputedStyle(element).display)).map(element => element.outerHTML.slice(0, 200))"""
OUTSIDE = """() => [...document.querySelectorAll('main *')].filter(element => !element.closest('svg') &&
  element.getClientRects().length && element.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map(element => element.outerHTML.slice(0, 200))"""


@pytest.fixture(scope="module")
def browser():
    """Chromium; the driver comes from PyPI and downloads nothing."""
    if not CHROMIUM:
        pytest.skip("no Chromium on this machine: apt-get install chromium, as scripts/host-packages does")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: make venv-dev")
    with sync_api.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, headless=True, args=[*FLAGS], timeout=120_000)
        yield started
        started.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A report of each kind; gives the page's path and its figures by name."""
    folder = tmp_path_factory.mktemp("reports")
    found = {}
    for name, (kind, facts) in FACTS.items():
        document = report.DOCUMENTS[kind](facts())
        for file, content in report.files(document, name).items():
            (folder / file).write_bytes(content)
        found[name] = (folder / f"{name}.html", json.loads((folder / f"{name}.json").read_text()))
    return found


class Opened:
    """A page in the browser with what it said and asked for while it was opened."""

    def __init__(self, browser, path, scheme, size):
        self.page = browser.new_page(viewport=size, color_scheme=scheme)
        self.page.set_default_timeout(120_000)  # a machine with much else to do
        self.said, self.asked = [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.url = path.as_uri()
        self.page.goto(self.url)

    def charts(self):
        return [chart for chart in self.page.query_selector_all(".chart") if chart.is_visible()]


@pytest.fixture
def opened(browser, written):
    pages = []

    def open_page(name, scheme="light", size=DESKTOP):
        pages.append(Opened(browser, written[name][0], scheme, size))
        return pages[-1]

    yield open_page
    for one in pages:
        one.page.close()


def overlap(one, other):
    """By more than a hair: boxes of text hold some air above and below the letters."""
    across = min(one["right"], other["right"]) - max(one["left"], other["left"])
    down = min(one["bottom"], other["bottom"]) - max(one["top"], other["top"])
    return across > 1 and down > 0.3 * min(one["size"], other["size"])


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize(("scheme", "size"), LOOKS, ids=[f"{scheme}-{size['width']}" for scheme, size in LOOKS])
def test_a_page_is_whole(opened, name, scheme, size):
    """GIVEN a report WHEN opened THEN no error, nothing asked for, every chart shows its data, no text overlaps or is cut."""
    view = opened(name, scheme, size)
    assert view.said == [] and view.asked == [view.url]
    charts = view.charts()
    assert len(charts) == len(view.page.query_selector_all("section[id^=chart-]"))
    for chart in charts:
        shows_its_data(chart)
        texts_stand_apart(chart)
    view.page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    assert view.page.evaluate(CUT) == [] and view.page.evaluate(OUTSIDE) == []
    assert view.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def shows_its_data(chart):
    box = chart.query_selector("svg").evaluate(BOX)
    assert box["width"] > 200 and box["height"] > 100
    assert chart.query_selector("svg").get_attribute("aria-label")
    marks = chart.query_selector_all("[id*='mark-']")
    assert marks, "a chart without data is left out"
    for mark in marks:
        found = mark.evaluate(BOX)
        assert found["width"] > 0 or found["height"] > 0, mark.get_attribute("id")
        assert found["left"] >= box["left"] - 1 and found["right"] <= box["right"] + 1
        assert found["top"] >= box["top"] - 1 and found["bottom"] <= box["bottom"] + 1


def texts_stand_apart(chart):
    box, texts = chart.query_selector("svg").evaluate(BOX), chart.evaluate(TEXTS)
    assert texts, "axes are labelled"
    for place, one in enumerate(texts):
        assert one["left"] >= box["left"] - 1 and one["right"] <= box["right"] + 1, f"{one['text']} is cut"
        assert one["top"] >= box["top"] - 1 and one["bottom"] <= box["bottom"] + 1, f"{one['text']} is cut"
        assert one["size"] > 8, f"{one['text']} is too small to read"
        for other in texts[place + 1 :]:
            assert not overlap(one, other), f"{one['text']} and {other['text']} overlap"


@pytest.mark.parametrize("name", FACTS)
def test_numbers_are_those_of_the_json(opened, written, name):
    """GIVEN the figures beside the page THEN each number of the page is the one that stands there, rounded as it is shown."""
    view, document = opened(name), written[name][1]
    shown = view.page.eval_on_selector_all(
        "data", "all => all.map(one => [one.dataset.path, one.value, one.textContent])"
    )
    assert len(shown) >= (2 if name == "failed" else 30)
    for path, value, text in shown:
        kept = at(document, path)
        assert float(value) == kept, path
        decimals = len(text.partition(".")[2])
        assert text == f"{kept:,.{decimals}f}", path


@pytest.mark.parametrize("name", FACTS)
def test_dark_is_dark_and_light_is_light(opened, name):
    """GIVEN the reader's scheme THEN page and every text of a chart follow it, and can be read: contrast of 4.5 to 1."""
    for scheme in ("light", "dark"):
        view = opened(name, scheme)
        card = view.page.eval_on_selector("section", "one => getComputedStyle(one).backgroundColor")
        assert (luminance(card) < 0.1) == (scheme == "dark")
        colours = {text["colour"] for chart in view.charts() for text in chart.evaluate(TEXTS)}
        colours |= set(
            view.page.eval_on_selector_all(
                "section p, section td, section th", "all => all.map(one => getComputedStyle(one).color)"
            )
        )
        assert colours and all(contrast(colour, card) >= 4.5 for colour in colours), colours


def luminance(colour):
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", FACTS)
def test_print_is_light_with_wide_charts(opened, name):
    """GIVEN a phone in the dark WHEN printed THEN on white, with the charts of a page's width, and none of them cut."""
    view = opened(name, "dark", PHONE)
    view.page.emulate_media(media="print", color_scheme="dark")
    assert luminance(view.page.eval_on_selector("body", "one => getComputedStyle(one).backgroundColor")) > 0.9
    visible = [chart.get_attribute("class") for chart in view.charts()]
    assert set(visible) <= {"chart wide"}
    assert view.page.pdf(format="A4").startswith(b"%PDF")


def test_ids_stand_once(opened):
    for name in FACTS:
        ids = opened(name).page.eval_on_selector_all("[id]", "all => all.map(one => one.id)")
        assert len(ids) == len(set(ids))


def test_no_script_and_nothing_from_elsewhere(written):
    for path, _document in written.values():
        text = path.read_text()
        assert "<script" not in text and not re.search(r"""(src|href)="(?!#|data:)""", text) and "@import" not in text


def test_names_are_text_and_not_markup(opened, written, tmp_path):
    """GIVEN a sentence with markup in it, as an error of AWS may have THEN it is shown, and does nothing."""
    document = dict(written["failed"][1])
    document["drills"] = [{**document["drills"][0], "problems": ["<b id=evil>bold</b> & more"]}]
    (tmp_path / "odd.html").write_bytes(report.files(document, "odd")["odd.html"])
    view = opened("failed")
    view.page.goto((tmp_path / "odd.html").as_uri())
    assert view.page.query_selector("#evil") is None and "<b id=evil>bold</b> & more" in view.page.inner_text("main")
