import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from data_modules.files.errors import PictureError
from data_modules.files.reading import read_header, read_native
from data_modules.files.writing import write_photograph

pydicom = pytest.importorskip("pydicom")
EIGHT_BIT = "1.2.840.10008.5.1.4.1.1.77.1.5.1"  # Ophthalmic Photography 8 Bit Image Storage


def photograph(path: Path, values: np.ndarray, kind: str = "RGB", bits: int = 8) -> None:
    """Write an ophthalmic photograph as a camera does."""
    from pydicom import uid

    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EIGHT_BIT
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid.generate_uid()
    dataset.StudyInstanceUID = uid.generate_uid()
    dataset.PatientID = "eye-7"
    dataset.ImageLaterality = "L"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "", "COLOR"]
    dataset.set_pixel_data(values, kind, bits, generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)


def values(shape: tuple[int, ...], bits: int = 8) -> np.ndarray:
    kind = np.uint8 if bits <= 8 else np.uint16
    return np.random.default_rng(0).integers(0, 2**bits, shape).astype(kind)


def test_colours_are_read_as_they_are(tmp_path: Path) -> None:
    pixels = values((40, 50, 3))
    photograph(tmp_path / "a.dcm", pixels)
    assert read_header(tmp_path / "a.dcm")[:3] == (50, 40, 1)
    assert np.array_equal(read_native(tmp_path / "a.dcm").permute(1, 2, 0).numpy(), pixels)


def test_grey_of_12_bits_is_spread_over_16(tmp_path: Path) -> None:
    pixels = values((40, 50), bits=12)
    pixels[0, :2] = 0, 4095
    photograph(tmp_path / "a.dcm", pixels, "MONOCHROME2", 12)
    image = read_native(tmp_path / "a.dcm")
    assert (image.shape, image.dtype) == ((3, 40, 50), torch.uint16)
    assert image[0, 0, :2].tolist() == [0, 65535]
    assert read_header(tmp_path / "a.dcm").sample_bytes == 2
    photograph(tmp_path / "b.dcm", pixels, "MONOCHROME1", 12)
    assert read_native(tmp_path / "b.dcm")[0, 0, :2].tolist() == [65535, 0]


@pytest.mark.parametrize("bits", [8, 16])
def test_a_result_is_a_derived_image_of_the_same_patient(tmp_path: Path, bits: int) -> None:
    photograph(tmp_path / "a.dcm", values((40, 50, 3)))
    image = torch.from_numpy(values((3, 40, 50), bits))
    write_photograph(image, tmp_path / "out" / "a.dcm", tmp_path / "a.dcm")
    before, after = (pydicom.dcmread(tmp_path / name) for name in ("a.dcm", "out/a.dcm"))
    assert torch.equal(read_native(tmp_path / "out" / "a.dcm"), image)
    assert after.PatientID == "eye-7"
    assert after.StudyInstanceUID == before.StudyInstanceUID
    assert after.SOPInstanceUID != before.SOPInstanceUID
    assert after.file_meta.MediaStorageSOPInstanceUID == after.SOPInstanceUID
    assert list(after.ImageType) == ["DERIVED", "PRIMARY", "", "COLOR"]
    assert after.SourceImageSequence[0].ReferencedSOPInstanceUID == before.SOPInstanceUID


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_a_result_in_another_format_has_the_pixels(tmp_path: Path, bits: int, ending: str) -> None:
    photograph(tmp_path / "a.dcm", values((40, 50, 3)))
    image = torch.from_numpy(values((3, 40, 50), bits))
    write_photograph(image, tmp_path / f"a.{ending}", tmp_path / "a.dcm")
    assert torch.equal(read_native(tmp_path / f"a.{ending}"), image)


def test_what_is_not_one_photograph_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.dcm").write_text("not DICOM")
    with pytest.raises(PictureError, match=r"text\.dcm: cannot be read as DICOM"):
        read_native(tmp_path / "text.dcm")
    photograph(tmp_path / "film.dcm", values((2, 40, 50, 3)))
    for read in (read_header, read_native):
        with pytest.raises(PictureError, match="holds 2 frames"):
            read(tmp_path / "film.dcm")
    with pytest.raises(PictureError, match="only written for a photograph from one"):
        write_photograph(torch.zeros(3, 40, 40, dtype=torch.uint8), tmp_path / "a.dcm")


def test_a_deflated_file_is_refused_before_it_is_inflated(tmp_path: Path) -> None:
    photograph(tmp_path / "a.dcm", values((40, 50, 3)))
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


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
def test_pixels_are_not_decoded_at_another_size_than_the_header_says(
    tmp_path: Path, kind: str
) -> None:
    photograph(tmp_path / "a.dcm", values((40, 50), 8), "MONOCHROME2")
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    syntaxes = {"JPEG": pydicom.uid.JPEGBaseline8Bit, "JPEG2000": pydicom.uid.JPEG2000}
    dataset.file_meta.TransferSyntaxUID = syntaxes[kind]
    for name, size in (("whole", (50, 40)), ("bomb", (5000, 5000))):
        stream = io.BytesIO()
        Image.new("L", size, 90).save(stream, kind)
        dataset.PixelData = pydicom.encaps.encapsulate([stream.getvalue()])
        dataset.save_as(tmp_path / f"{name}.dcm", enforce_file_format=True)
    assert read_native(tmp_path / "whole.dcm").unique().tolist() == [90]
    told = r"bomb\.dcm: is 50x40 px by its attributes, but its pixels are 5000x5000"
    with pytest.raises(PictureError, match=told):
        read_native(tmp_path / "bomb.dcm")
