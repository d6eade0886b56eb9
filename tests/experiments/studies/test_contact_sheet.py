from pathlib import Path

import pytest
from PIL import Image

from experiments.studies import contact_sheet as sheet

pytestmark = pytest.mark.usefixtures("workplace")


def test_the_sheet_is_large_enough_to_look_at(tmp_path: Path) -> None:
    assert sheet.main(["--out", str(tmp_path / "sheet.jpg")]) == 0
    with Image.open(tmp_path / "sheet.jpg") as picture:
        assert min(picture.size) > 1000
