# SPDX-License-Identifier: MIT
"""Lines of progress where people look: a bar in a terminal, plain lines in a log, beside the output where a program reads it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

# Kinds of output.
BAR, LINES, ASIDE = "bar", "lines", "aside"
# Outputs of Ansible that people read; any other may be read by a program.
READABLE = {"default", "debug", "dense", "diy", "minimal", "oneline", "unixy", "yaml"}

_WIPE = "\r\x1b[2K"
_CELLS = 20
_PERCENT = re.compile(r"\b(\d{1,3})%")
# Not which of how many passes: that says nothing of how far it is.
_OF = re.compile(r"(?<!pass )\b([\d,]+) of ([\d,]+)")
_COUNTING = re.compile(r"\bsince \d+ s\b|\bitems read\b")


class Output(NamedTuple):
    """How the run shows what goes on. width: columns of the terminal."""

    kind: str = LINES
    width: int = 80


def output_for(callback: str, as_json: bool, is_terminal: bool, term: str, width: int) -> Output:
    """callback: name of Ansible's output plugin. as_json: the playbook was asked for JSON. term: the variable TERM."""
    if as_json or not is_readable(callback):
        return Output(ASIDE)
    is_smart = is_terminal and term not in ("", "dumb") and width > _CELLS * 2
    return Output(BAR, width) if is_smart else Output(LINES)


def is_readable(callback: str) -> bool:
    return callback.rpartition(".")[2] in READABLE


def fraction_of(line: str) -> float | None:
    """How much of its work a line says is done; None where it says no such thing."""
    percent = _PERCENT.search(line)
    if percent:
        return min(1.0, int(percent[1]) / 100)
    found = _OF.search(line)
    done, whole = (int(number.replace(",", "") or 0) for number in found.groups()) if found else (0, 0)
    return min(1.0, done / whole) if whole else None


def is_passing(line: str) -> bool:
    """Whether the next line of this kind says all that this one does."""
    return fraction_of(line) is not None or bool(_COUNTING.search(line))


def drawn(line: str, width: int) -> str:
    """The line as one row of the terminal, behind a bar where it counts."""
    done = fraction_of(line)
    full = 0 if done is None else int(done * _CELLS)
    cells = "" if done is None else f"[{'#' * full}{'-' * (_CELLS - full)}] "
    return (cells + line)[: width - 1]


class Shown:
    """Lines of one task. ``display``: Ansible's."""

    def __init__(self, display: Callable[..., None], output: Output) -> None:
        self._display, self._output = display, output
        self._passing = ""

    def line(self, text: str) -> None:
        if self._output.kind == ASIDE:
            self._display(text, stderr=True)
        elif self._output.kind == BAR and is_passing(text):
            # The cursor goes back, so that what another host's task says stands where the bar stood.
            self._row(_WIPE + drawn(text, self._output.width) + "\r")
            self._passing = text
        else:
            self.close()
            self._display(text)

    def close(self) -> None:
        """The bar goes; its last line stays."""
        if self._passing:
            self._row(_WIPE)
            self._display(self._passing)
        self._passing = ""

    def _row(self, text: str) -> None:
        self._display(text, screen_only=True, newline=False)
