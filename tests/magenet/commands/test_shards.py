"""`magenet shards`: which photographs become which part."""

from pathlib import Path

import pytest

from data_modules import StreamedPhotographs
from magenet.main import main
from tests.drawn import drawn_manifest

pytest.importorskip("webdataset", reason="needs the extra: pip install 'magenet[stream]'")


@pytest.mark.parametrize(
    ("splits", "options", "count"),
    [
        (["train", "val", "val", "test"], [], 1),
        (["train", "val", "val", "test"], ["--test-split", "val"], 2),
        (["train", "val", "val"], [], 2),
    ],
)
def test_the_test_part_is_the_manifests(
    splits: list[str], options: list[str], count: int, tmp_path: Path
) -> None:
    manifest = drawn_manifest(tmp_path, splits, 64)
    given = ["shards", str(manifest), str(tmp_path / "out"), "--image-size", "48", *options]
    assert main(given) == 0
    dataset = StreamedPhotographs(str(tmp_path / "out")).dataset("test", 48)
    assert len(dataset) == count
