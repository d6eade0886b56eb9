"""Template of the report's page: its markup, style and scripts, joined into one file."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib.resources import files

from magenet.enhancement.page.pictures import HEAT, SIDE
from magenet.enhancement.verdict import ERROR_LIMITS
from magenet.errors import printable

PARTS = files("magenet.enhancement.page")
"""Folder of the template: `page.html`, `page.css` and the scripts."""

SCRIPTS = ("entries.js", "table.js", "decisions.js", "stage.js", "keys.js", "start.js")
"""Parts of the page's one script, in their order."""

GOOD_ERROR = 6.0
"""Expected error, in grey levels of 255, below which it is called good (our choice)."""


def error_level(expected_error: float) -> str:
    """Return the level of an expected error: `good`, `fair`, `poor` or `very poor`.

    The limits are :data:`GOOD_ERROR` and those of the verdicts, :data:`ERROR_LIMITS` (our choice).

    Args:
        expected_error: Mean expected absolute error, in grey levels of 255.

    Example:
        >>> [error_level(error) for error in (5.9, 6.0, 12.0, 16.0, 16.1)]
        ['good', 'fair', 'fair', 'poor', 'very poor']
    """
    check, abstain = ERROR_LIMITS
    if expected_error < GOOD_ERROR:
        return "good"
    if expected_error <= check:
        return "fair"
    return "poor" if expected_error <= abstain else "very poor"


def filled_template(folder: str, about: str, run: str) -> str:
    """Return the page without photographs, whose pictures are in a folder of this name."""
    own = {name: (PARTS / name).read_text(encoding="utf-8") for name in ("page.html", "page.css")}
    script = "\n" + "".join((PARTS / name).read_text(encoding="utf-8") for name in SCRIPTS)
    page = own["page.html"].replace("@STYLE@", "\n" + own["page.css"]).replace("@SCRIPT@", script)
    # The browser runs this one script and no other, should a name ever get past the escaping.
    script_hash = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    last = HEAT[-1, 0]
    stops = ", ".join(
        f"rgb({red:g} {green:g} {blue:g} / {opacity:.0%}) {level / last:.1%}"
        for level, red, green, blue, opacity in HEAT
    )
    check, abstain = ERROR_LIMITS
    levels = (
        f"below {GOOD_ERROR:g} good, up to {check:g} fair, above {check:g} poor, "
        f"above {abstain:g} very poor"
    )
    values = {
        "HASH": script_hash, "HEAT": stops, "MIDDLE": f"{last / 2:g}", "TOP": f"{last:g}",
        "SIDE": f"{SIDE}", "LEVELS": levels,
        "ABOUT": html.escape(printable(about)), "RUN": html.escape(run),
        "FILES": html.escape(folder.encode("utf-8", "backslashreplace").decode()),
    }  # fmt: skip
    return re.sub("@([A-Z]+)@", lambda match: values[match[1]], page)
