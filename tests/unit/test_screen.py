# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of progress: a bar, plain lines, or beside the output."""

import pytest

from dynabridge.progress import Count
from dynabridge.screen import ASIDE, BAR, LINES, Output, Shown, drawn, fraction_of, is_passing, output_for


@pytest.mark.parametrize(
    ("line", "fraction"),
    [
        ("cn: 1,000 of 4,000 (25%), 300/s", 0.25),
        ("user-cn: 1,500 of 2,000 items written", 0.75),
        ("pass 1 of 2, items read: user-cn 3, user-sg 4", None),
        ("130% of the target", 1.0),
        ("0 of 0 items", None),
        ("user-cn: full backup begun", None),
        (", of ,", None),
    ],
)
def test_how_much_a_line_says_is_done(line, fraction):
    assert fraction_of(line) == fraction


def test_a_wait_is_passing_and_news_are_not():
    assert is_passing("waiting for DynamoDB since 30 s: user-cn") and is_passing("1 of 2")
    assert is_passing("pass 1 of 2, items read: user-cn 3, user-sg 4")
    assert not is_passing("user-cn: full backup begun: daily/2026/11/21/user-cn")


def test_a_bar_is_one_row():
    assert drawn("a: 1 of 2", 60) == "[##########----------] a: 1 of 2"
    assert drawn("waiting since 3 s", 60) == "waiting since 3 s"
    assert len(drawn("1 of 2 " + "x" * 200, 60)) == 59, "a full row would wrap"


@pytest.mark.parametrize(
    ("callback", "as_json", "is_terminal", "term", "width", "kind"),
    [
        ("default", False, True, "xterm", 80, BAR),
        ("ansible.builtin.default", False, True, "xterm", 80, BAR),
        ("community.general.yaml", False, False, "xterm", 80, LINES),
        ("default", False, True, "dumb", 80, LINES),
        ("default", False, True, "", 80, LINES),
        ("default", False, True, "xterm", 30, LINES),
        ("default", True, True, "xterm", 80, ASIDE),
        ("ansible.posix.json", False, True, "xterm", 80, ASIDE),
        ("somebody.s.own", False, False, "", 80, ASIDE),
    ],
)
def test_how_a_run_shows_progress(callback, as_json, is_terminal, term, width, kind):
    assert output_for(callback, as_json, is_terminal, term, width).kind == kind


def shown(output, *lines):
    """What is displayed: (text, options)."""
    calls = []
    screen = Shown(lambda text, **options: calls.append((text, options)), output)
    for line in lines:
        screen.line(line)
    screen.close()
    return calls


def test_a_bar_gives_way_to_news_and_leaves_its_last_line():
    row = {"screen_only": True, "newline": False}
    calls = shown(Output(BAR, 60), "begun", "1 of 4", "2 of 4", "half way", "4 of 4")
    assert [text for text, options in calls if not options] == ["begun", "2 of 4", "half way", "4 of 4"]
    assert [text for text, options in calls if options == row and "#" in text] == [
        f"\r\x1b[2K{drawn(line, 60)}\r" for line in ("1 of 4", "2 of 4", "4 of 4")
    ]


def test_elsewhere_each_line_is_a_line():
    assert shown(Output(LINES), "begun", "1 of 4") == [("begun", {}), ("1 of 4", {})]
    assert shown(Output(ASIDE), "1 of 4") == [("1 of 4", {"stderr": True})]


def test_what_threads_read_is_counted_every_other_second():
    """GIVEN reducers of two threads WHEN they are given items THEN they take them, and the sum is told, not too often."""

    class Reducer:
        def __init__(self):
            self.items = []

        def add(self, items):
            self.items += items

    now, told = [0.0], []
    count = Count(told.append, "user: {:,} items read", clock=lambda: now[0])
    one, two = count.of(Reducer)(), count.of(Reducer)()
    for second, reducer in enumerate((one, two, one, two, one)):
        now[0] = float(second)
        reducer.add([0] * 500)
    assert told == ["user: 1,500 items read", "user: 2,500 items read"] and len(one.items) == 1500
