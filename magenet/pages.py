"""Pages of results, in one file without scripts: their common style."""

from __future__ import annotations

from pathlib import Path
from string import Template

from magenet.atomic_write import atomic_write

STYLE = Path(__file__).with_suffix(".css")


def write_page(path: Path, template: Path, **texts: str) -> None:
    """Fill a template and write the page.

    Args:
        path: File to write.
        template: HTML with `$name` for each text, and `$style` for the common style.
        texts: HTML by name.

    Raises:
        UserError: If it cannot be written.
    """
    style = STYLE.read_text(encoding="utf-8").rstrip()
    page = Template(template.read_text(encoding="utf-8")).substitute(style=style, **texts)
    with atomic_write(path) as part:
        part.write_text(page, encoding="utf-8")
