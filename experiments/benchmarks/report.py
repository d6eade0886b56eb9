"""Markdown report of a benchmark's JSON, and comparison of two."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from experiments.benchmarks.timing import Cell

UNKNOWN_SPREAD = 0.05
"""Relative change that is marked where a number was measured only once (our choice)."""

Key = tuple[str, str, str]
"""Title of the table, row and column of a number."""


def text(cell: Cell | None) -> str:
    """Return a cell as text."""
    if cell is None:
        return ""
    if isinstance(cell, dict):
        return f"{cell['value']:g} ± {cell['spread']:g}"
    return cell if isinstance(cell, str) else f"{cell:g}"


def grid(header: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table."""
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def markdown(result: dict[str, Any]) -> str:
    """Return the report of a result: every table, followed by the definitions of its columns.

    Tables with more columns than rows are transposed, so that they stay narrow.
    """
    facts = "\n".join(f"- {name}: {value}" for name, value in result["facts"].items())
    parts = ["# Speed benchmark", "Made by `make bench` from the JSON file beside it.", facts]
    for title, table in result["tables"].items():
        rows = table["rows"]
        used = [c for c in table["columns"] if any(c in row for row in rows.values())]
        if len(used) > len(rows) + 1:
            lines = [[c, *(text(row.get(c)) for row in rows.values())] for c in used]
            content = grid(["", *rows], lines)
        else:
            lines = [[name, *(text(row.get(c)) for c in used)] for name, row in rows.items()]
            content = grid(["", *used], lines)
        definitions = "\n".join(f"- {column}: {table['columns'][column]}" for column in used)
        parts += [f"## {title}", content, definitions]
    return "\n\n".join(parts) + "\n"


def numbers(result: dict[str, Any]) -> Iterator[tuple[Key, float, float | None]]:
    """Yield the key of every number, its value, and its relative spread or None."""
    for title, table in result["tables"].items():
        for name, row in table["rows"].items():
            for column, cell in row.items():
                if isinstance(cell, dict) and cell["value"]:
                    yield (title, name, column), cell["value"], cell["spread"] / abs(cell["value"])
                elif isinstance(cell, (int, float)) and cell:
                    yield (title, name, column), cell, None


def compare(new: dict[str, Any], old: dict[str, Any]) -> str:
    """Return the ratio new over old of every number in both results.

    A change is marked where it exceeds the sum of both spreads.
    """
    before = {key: (value, spread) for key, value, spread in numbers(old)}
    lines = []
    for key, value, spread in numbers(new):
        if key not in before:
            continue
        other, other_spread = before[key]
        noise = UNKNOWN_SPREAD if spread is None or other_spread is None else spread + other_spread
        ratio = value / other
        # The larger over the smaller: half as fast counts like twice as fast.
        change = abs(ratio) if abs(ratio) > 1 else 1 / abs(ratio)
        mark = "*" if ratio < 0 or change - 1 > noise else ""
        title, row, column = key
        lines.append(
            [f"{title}: {row}: {column}", f"{other:g}", f"{value:g}", f"{ratio:.3f}", mark]
        )
    changed = [
        f"- {name}: {old['facts'].get(name)} -> {value}"
        for name, value in new["facts"].items()
        if name not in ("date", "took") and old["facts"].get(name) != value
    ]
    table = grid(["", "old", "new", "new over old", "beyond the spread"], lines)
    return "\n".join(["# New over old", "", *changed, "", table])
