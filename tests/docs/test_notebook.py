"""The notebook runs from its first cell to its last, and is kept as it ran."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.conftest import ROOT

PATH = ROOT / "docs/look_inside.ipynb"
MOST_BYTES = 200_000
EXTRA = "needs the extra: pip install 'magenet[docs]'"


def code_cells() -> list[dict[str, Any]]:
    cells = json.loads(PATH.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def shown(cell: Mapping[str, Any]) -> set[str]:
    """Return the kinds of what a cell shows: text that was printed, pictures."""
    return {out["output_type"] for out in cell["outputs"] if out.get("name") != "stderr"}


def test_it_is_kept_executed_in_order_and_small() -> None:
    cells = code_cells()
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(shown(cell) for cell in cells[1:]), "each shows something"
    assert not any(o["output_type"] == "error" for cell in cells for o in cell["outputs"])
    assert PATH.stat().st_size <= MOST_BYTES
    assert "site-packages" not in PATH.read_text(), "a warning of this machine"


@pytest.mark.slow
def test_it_runs_and_shows_as_much_as_it_is_kept_with(monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason=EXTRA)
    nbclient = pytest.importorskip("nbclient", reason=EXTRA)
    pytest.importorskip("ipykernel", reason=EXTRA)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = nbformat.read(PATH, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600).execute()
    ran = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for kept, cell in zip(code_cells(), ran, strict=True):
        assert shown(cell) == shown(kept)
