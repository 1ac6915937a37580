# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plotting library writes as SVG, made part of a page: ids of its own, colours and fonts by the page's style."""

from __future__ import annotations

import html
import re

from ansible.module_utils.dynabridge_report.palette import COLOURS

_NAMES = {colour.light: name for name, colour in COLOURS.items()}


def inlined(text: str, prefix: str, says: str) -> str:
    """The <svg> element. prefix: before every id, so that none is on the page twice; says: for those who cannot see it."""
    text = text[text.index("<svg") :]
    for pattern in (r"<metadata>.*?</metadata>\s*", r"<defs>\s*<style.*?</style>\s*</defs>\s*", r"<!--.*?-->\s*"):
        text = re.sub(pattern, "", text, flags=re.DOTALL)
    text = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}-", text)
    text = re.sub(r"#[0-9a-f]{6}\b", _variable, text)
    text = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--font)", text)
    (box,) = re.findall(r'viewBox="([^"]+)"', text)
    opening = f'<svg role="img" aria-label="{html.escape(says)}" viewBox="{box}">'
    return re.sub(r"<svg.*?>", lambda _found: opening, text, count=1, flags=re.DOTALL).strip()


def _variable(found: re.Match[str]) -> str:
    """A colour that is not of the palette would not follow the reader's scheme: better a failure than a dark page's dark line."""
    return f"var(--{_NAMES[found[0]]})"
