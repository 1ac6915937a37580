# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours by what they mean: of Okabe and Ito's palette, which colour-blind people can tell apart, on light and on dark.

A chart is drawn in the light ones; within a page each is a CSS variable of its name, so that the reader's scheme decides.
"""

from __future__ import annotations

from typing import NamedTuple


class Colour(NamedTuple):
    light: str
    dark: str


COLOURS = {
    "ink": Colour("#1c2127", "#e8eaed"),
    "muted": Colour("#59626d", "#a3acb7"),
    "grid": Colour("#dfe3e8", "#3a424c"),
    "first": Colour("#0072b2", "#56b4e9"),
    "second": Colour("#c04f00", "#f0a030"),
    "third": Colour("#00805f", "#2fc79a"),
    "fourth": Colour("#8f4577", "#dd94bd"),
    "fifth": Colour("#6b5b00", "#f0e442"),
    "sixth": Colour("#3f4a9e", "#a9b2f5"),
    "track": Colour("#e9ecf0", "#2f363f"),
}
SERIES = ("first", "second", "third", "fourth", "fifth", "sixth")
# What is known by its meaning keeps its colour in every chart.
ROLES = {"loaded": "second", "replicated": "first", "lag": "third", "written": "first"}


def light(name: str) -> str:
    return COLOURS[name].light


def variables(scheme: str) -> str:
    """As CSS declares them."""
    return " ".join(f"--{name}: {getattr(colour, scheme)};" for name, colour in COLOURS.items())
