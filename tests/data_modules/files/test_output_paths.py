"""Where results are written."""

from pathlib import Path

from data_modules.datasets.manifest import Photograph
from data_modules.files.output_paths import output_paths


def test_another_ending_replaces_an_ending_and_nothing_else(tmp_path: Path) -> None:
    """What follows the last dot of a DICOM file that is named by its UID is no ending."""
    names = ["eye.JPG", "scan.dcm", "1.2.840.1", "1.2.840.2", "IM0001"]
    found = output_paths(tmp_path, [Photograph(Path(name), name) for name in names], ".png")
    assert [path.name for path in found.values() if isinstance(path, Path)] == [
        "eye.png", "scan.png", "1.2.840.1.png", "1.2.840.2.png", "IM0001.png",
    ]  # fmt: skip
