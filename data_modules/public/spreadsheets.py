"""Reading of the spreadsheets (.xlsx) that some sets keep their labels in."""

from __future__ import annotations

from pathlib import Path

from magenet.errors import UserError


def read_sheets(path: Path) -> dict[str, list[list[str]]]:
    """Return the cells of a spreadsheet as text, by sheet; whole numbers without decimals.

    Raises:
        UserError: If openpyxl is not installed, or the file cannot be read.
    """
    try:
        from openpyxl import load_workbook
    except ImportError:
        raise UserError(
            f"{path}: spreadsheets need openpyxl, which is not installed: "
            "pip install 'magenet[prepare]'"
        ) from None
    try:
        book = load_workbook(path, read_only=True, data_only=True)
        return {
            sheet.title: [
                [_text(cell) for cell in row] for row in sheet.iter_rows(values_only=True)
            ]
            for sheet in book.worksheets
        }
    except Exception as error:  # a broken file can raise anything between zip and XML
        raise UserError(f"{path}: cannot be read as a spreadsheet ({error})") from None


def read_sheet(path: Path, *required: str) -> list[dict[str, str]]:
    """Return the rows of all sheets that have the required columns, each by the first row's names.

    Raises:
        UserError: If no sheet has them, or as :func:`read_sheets` does.
    """
    rows: list[dict[str, str]] = []
    found = False
    for cells in read_sheets(path).values():
        columns = [name.strip() for name in cells[0]] if cells else []
        if set(required) <= set(columns):
            found = True
            table = [dict(zip(columns, line, strict=False)) for line in cells[1:]]
            rows += [row for row in table if all(row.get(column) for column in required)]
    if not found:
        raise UserError(f"{path}: no sheet has the columns {', '.join(required)}")
    return rows


def _text(cell: object) -> str:
    """Return a cell as text."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()
