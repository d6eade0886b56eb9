"""Photographs to enhance: what fits into the memory."""

from pathlib import Path

import pytest

from data_modules import PredictionDataModule
from data_modules.files import memory_estimate
from data_modules.files.errors import PictureError
from data_modules.files.reading import read_header
from magenet import allocator
from tests.drawn import drawn_folder


def test_the_others_of_a_batch_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocator, "resident", lambda: 0)
    photographs = str(drawn_folder(tmp_path, 2))
    header = read_header(tmp_path / "eye_0.png")
    two = memory_estimate.memory_of(header) + memory_estimate.held_by(header)
    for size, allowed, fits in ((1, two - 1, True), (2, two, True), (2, two - 1, False)):
        data = PredictionDataModule(photographs, None, None, None, size, 0, str(allowed))
        batch = next(iter(data.predict_dataloader()))
        _, decoded, _ = batch["photographs"][0]
        assert isinstance(decoded, PictureError) != fits
    assert "80x80 px and needs" in str(decoded)
    assert "in a batch of 2" in str(decoded)
