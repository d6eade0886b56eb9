"""Files of many frames: written one by one, whole or not at all."""

import subprocess
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from shutil import which

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from data_modules.files.dicom import read_frames
from data_modules.files.errors import PictureError
from data_modules.files.writing import MetadataChoice, write_frames

pydicom = pytest.importorskip("pydicom")
from tests.data_modules.files.ophthalmic import faults, noise, photograph  # noqa: E402


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("bits", [8, 16])
def test_frames_come_back_as_they_were_written(tmp_path: Path, count: int, bits: int) -> None:
    photograph(tmp_path / "a.dcm", noise((count, 41, 51, 3), bits), bits=bits)
    images = torch.from_numpy(noise((count, 3, 41, 51), bits))
    write_frames(iter(images), tmp_path / "b.dcm", tmp_path / "a.dcm")
    assert torch.equal(torch.stack(list(read_frames(tmp_path / "b.dcm"))), images)
    result = pydicom.dcmread(tmp_path / "b.dcm")
    assert faults(result) == []
    assert (result.NumberOfFrames, result.FrameTime) == (count, 1000)
    assert result.pixel_array.shape == ((count, 41, 51, 3) if count > 1 else (41, 51, 3))


def test_a_file_of_fewer_frames_than_its_source_is_not_written(tmp_path: Path) -> None:
    photograph(tmp_path / "a.dcm", noise((3, 40, 50, 3)))
    images = torch.from_numpy(noise((2, 3, 40, 50)))
    with pytest.raises(PictureError, match="holds 3 frames, but 2 were enhanced"):
        write_frames(iter(images), tmp_path / "b.dcm", tmp_path / "a.dcm")
    assert [path.name for path in tmp_path.iterdir()] == ["a.dcm"]


def test_several_frames_are_only_written_as_dicom(tmp_path: Path) -> None:
    photograph(tmp_path / "a.dcm", noise((3, 40, 50, 3)))
    with pytest.raises(PictureError, match=r"b\.png: a file of several frames"):
        write_frames([], tmp_path / "b.png", tmp_path / "a.dcm")


def test_one_frame_is_in_memory_at_a_time(tmp_path: Path) -> None:
    photograph(tmp_path / "a.dcm", noise((60, 200, 300, 3)))

    def negatives() -> Iterator[Tensor]:
        for frame in read_frames(tmp_path / "a.dcm"):
            yield 255 - frame

    tracemalloc.start()
    write_frames(negatives(), tmp_path / "b.dcm", tmp_path / "a.dcm")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * 200 * 300 * 3, "60 frames"


@pytest.mark.skipif(which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("choice", ["keep", "clinical", "none"])
@pytest.mark.parametrize("count", [1, 2])
def test_an_independent_checker_finds_no_error(
    tmp_path: Path, choice: MetadataChoice, count: int
) -> None:
    photograph(tmp_path / "a.dcm", noise((count, 40, 50, 3)))
    images = torch.from_numpy(noise((count, 3, 40, 50)))
    write_frames(iter(images), tmp_path / "b.dcm", tmp_path / "a.dcm", choice)
    checked = subprocess.run(
        ["dciodvfy", "-new", tmp_path / "b.dcm"], capture_output=True, text=True
    )
    assert "OphthalmicPhotography8BitImage" in checked.stderr
    assert "Error" not in checked.stderr


@pytest.mark.skipif(which("dcmj2pnm") is None, reason="dcmj2pnm (dcmtk) is not installed")
@pytest.mark.parametrize("choice", ["keep", "clinical", "none"])
@pytest.mark.parametrize("count", [1, 2])
def test_another_decoder_sees_the_same_pixels_and_attributes(
    tmp_path: Path, choice: MetadataChoice, count: int
) -> None:
    photograph(tmp_path / "a.dcm", noise((count, 40, 50, 3)))
    images = torch.from_numpy(noise((count, 3, 40, 50)))
    result = tmp_path / "b.dcm"
    write_frames(iter(images), result, tmp_path / "a.dcm", choice)
    for number, image in enumerate(images, start=1):
        drawn = tmp_path / f"{number}.ppm"
        subprocess.run(["dcmj2pnm", "--frame", str(number), "+op", result, drawn], check=True)
        with Image.open(drawn) as picture:
            pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)
        assert torch.equal(pixels, image)
    dumped = subprocess.run(
        ["dcmdump", result], capture_output=True, encoding="latin-1", check=True
    )
    assert dumped.stderr == "", "not even a warning"
    assert f"(0028,0008) IS [{count}]" in dumped.stdout
    assert "OphthalmicPhotography8BitImageStorage" in dumped.stdout
