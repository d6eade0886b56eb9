import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from data_modules.files.dicom import read_frames
from data_modules.files.errors import PictureError
from data_modules.files.reading import read_header, read_native
from data_modules.files.writing import write_photograph

pydicom = pytest.importorskip("pydicom")
from tests.data_modules.files.ophthalmic import noise, photograph  # noqa: E402


def test_colours_are_read_as_they_are(tmp_path: Path) -> None:
    pixels = noise((40, 50, 3))
    photograph(tmp_path / "a.dcm", pixels)
    assert read_header(tmp_path / "a.dcm")[:3] == (50, 40, 1)
    assert np.array_equal(read_native(tmp_path / "a.dcm").permute(1, 2, 0).numpy(), pixels)


def test_grey_of_12_bits_is_spread_over_16(tmp_path: Path) -> None:
    pixels = noise((40, 50), bits=12)
    pixels[0, :2] = 0, 4095
    photograph(tmp_path / "a.dcm", pixels, "MONOCHROME2", 12)
    image = read_native(tmp_path / "a.dcm")
    assert (image.shape, image.dtype) == ((3, 40, 50), torch.uint16)
    assert image[0, 0, :2].tolist() == [0, 65535]
    assert read_header(tmp_path / "a.dcm").sample_bytes == 2
    photograph(tmp_path / "b.dcm", pixels, "MONOCHROME1", 12)
    assert read_native(tmp_path / "b.dcm")[0, 0, :2].tolist() == [65535, 0]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_result_in_another_format_has_the_pixels(tmp_path: Path, bits: int, ending: str) -> None:
    photograph(tmp_path / "a.dcm", noise((40, 50, 3)))
    image = torch.from_numpy(noise((3, 40, 50), bits))
    write_photograph(image, tmp_path / f"a.{ending}", tmp_path / "a.dcm")
    assert torch.equal(read_native(tmp_path / f"a.{ending}"), image)


def test_what_is_not_one_photograph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("not DICOM")
    with pytest.raises(PictureError, match=r"text\.dcm: cannot be read as DICOM"):
        read_native(tmp_path / "text.dcm")
    photograph(tmp_path / "film.dcm", noise((2, 40, 50, 3)))
    assert read_header(tmp_path / "film.dcm").frames == 2
    with pytest.raises(PictureError, match=r"film\.dcm: holds 2 frames.*`magenet enhance`"):
        read_native(tmp_path / "film.dcm")
    with pytest.raises(PictureError, match="only written for a photograph from one"):
        write_photograph(torch.zeros(3, 40, 40, dtype=torch.uint8), tmp_path / "a.dcm")


def test_frames_are_read_one_after_the_other(tmp_path: Path) -> None:
    pixels = noise((3, 41, 51, 3))
    photograph(tmp_path / "a.dcm", pixels)
    frames = [frame.permute(1, 2, 0).numpy() for frame in read_frames(tmp_path / "a.dcm")]
    assert np.array_equal(np.stack(frames), pixels)


def test_files_are_known_by_their_preamble(tmp_path: Path) -> None:
    pixels = noise((40, 50, 3))
    for name in ("IM000001", "1.2.840.10008", "a.DCM"):
        photograph(tmp_path / name, pixels)
        assert np.array_equal(read_native(tmp_path / name).permute(1, 2, 0).numpy(), pixels)


OCT = "1.2.840.10008.5.1.4.1.1.77.1.5.4"
WRONG = [
    ("is 'Ophthalmic Tomography Image Storage', not a photograph", {"SOPClassUID": OCT}),
    ("holds 2000000 frames .* DICOM file holds 4 GiB at most", {"NumberOfFrames": 2000000}),
    ("has 6000 bytes of pixel data where its attributes say 60000000", {"NumberOfFrames": 10000}),
    ("has 6000 bytes of pixel data where its attributes say 60000", {"Rows": 400}),
    ("signed or shifted", {"PixelRepresentation": 1}),
    ("signed or shifted", {"HighBit": 9}),
    ("samples of 32 bits", {"BitsAllocated": 32, "BitsStored": 32, "HighBit": 31}),
    ("3 sample.* of 'MONOCHROME2'", {"PhotometricInterpretation": "MONOCHROME2"}),
    ("of 'HSV'", {"PhotometricInterpretation": "HSV"}),
    ("but they are not", {"PhotometricInterpretation": "YBR_FULL_422"}),
    ("is 50x20 px; a photograph needs", {"Rows": 20}),
    ("lacks DICOM attributes of every image: Rows, BitsStored", {"Rows": None, "BitsStored": None}),
    ("lacks DICOM attributes of every image: SOPClassUID", {"SOPClassUID": ""}),
]


@pytest.mark.parametrize(("told", "attributes"), WRONG)
def test_what_is_wrong_is_told_by_the_header(
    tmp_path: Path, told: str, attributes: dict[str, Any]
) -> None:
    photograph(tmp_path / "a.dcm", noise((40, 50, 3)))
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
        if value is None:
            del dataset[keyword]
    dataset.save_as(tmp_path / "a.dcm")
    for read in (read_header, read_native):
        with pytest.raises(PictureError, match=rf"a\.dcm: .*{told}") as caught:
            read(tmp_path / "a.dcm")
        assert "\n" not in str(caught.value)


def test_a_file_without_pixels_is_told(tmp_path: Path) -> None:
    photograph(tmp_path / "a.dcm", noise((40, 50, 3)), PixelData=None)
    with pytest.raises(PictureError, match=r"a\.dcm: has no pixel data"):
        read_header(tmp_path / "a.dcm")


def test_a_file_that_is_cut_off_is_told_before_it_is_decoded(tmp_path: Path) -> None:
    photograph(tmp_path / "a.dcm", noise((2, 40, 50, 3)))
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content[:-7000])
    with pytest.raises(PictureError, match=r"where its attributes say 12000; it is cut off"):
        read_header(tmp_path / "a.dcm")


@pytest.mark.parametrize("depth", [8, 16])
def test_palettes_become_colours(tmp_path: Path, depth: int) -> None:
    indices = noise((40, 50))
    rng = np.random.default_rng(1)
    tables = rng.integers(0, 2**depth, (3, 256)).astype(f"<u{depth // 8}")
    palette = {}
    for colour, table in zip(("Red", "Green", "Blue"), tables, strict=True):
        palette[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, depth]
        palette[f"{colour}PaletteColorLookupTableData"] = table.tobytes()
    photograph(tmp_path / "a.dcm", indices, "MONOCHROME2")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.PhotometricInterpretation = "PALETTE COLOR"
    for keyword, value in palette.items():
        setattr(dataset, keyword, value)
        dataset[keyword].VR = "US" if keyword.endswith("Descriptor") else "OW"
    dataset.save_as(tmp_path / "a.dcm")
    image = read_native(tmp_path / "a.dcm").numpy()
    assert read_header(tmp_path / "a.dcm").sample_bytes == depth // 8 == image.itemsize
    assert np.array_equal(image, tables[:, indices])


@pytest.mark.parametrize("kind", ["YBR_FULL", "YBR_FULL_422"])
def test_luminance_and_chrominance_become_rgb(tmp_path: Path, kind: str) -> None:
    orange = np.full((40, 50, 3), (200, 120, 40), np.uint8)
    ybr = pydicom.pixels.convert_color_space(orange, "RGB", "YBR_FULL")
    photograph(tmp_path / "a.dcm", ybr, "YBR_FULL")
    if kind == "YBR_FULL_422":  # two luminances, then the chrominances of both
        y, b, r = ybr[0, 0]
        dataset = pydicom.dcmread(tmp_path / "a.dcm")
        dataset.PhotometricInterpretation = kind
        dataset.PixelData = bytes([y, y, b, r]) * (40 * 50 // 2)
        dataset.save_as(tmp_path / "a.dcm")
    image = read_native(tmp_path / "a.dcm").permute(1, 2, 0).numpy()
    assert np.abs(image.astype(int) - orange).max() <= 2


def test_a_deflated_file_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    photograph(tmp_path / "a.dcm", noise((40, 50, 3)))
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.file_meta.TransferSyntaxUID = pydicom.uid.DeflatedExplicitVRLittleEndian
    dataset.EncapsulatedDocument = bytes(64 << 20)
    dataset.save_as(tmp_path / "bomb.dcm", enforce_file_format=True)
    del dataset
    assert (tmp_path / "bomb.dcm").stat().st_size < 1 << 20
    for read in (read_header, read_native):
        tracemalloc.start()
        with pytest.raises(PictureError, match=r"bomb\.dcm: is deflated as a whole.*dcmconv"):
            read(tmp_path / "bomb.dcm")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 8 << 20
