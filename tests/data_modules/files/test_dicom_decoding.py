"""Compressed pixel data: what is decoded, by which plugin, and what is refused before it."""

import io
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_modules.files.dicom import read_frames
from data_modules.files.errors import PictureError
from data_modules.files.reading import read_header, read_native

pydicom = pytest.importorskip("pydicom")
from pydicom import encaps, uid  # noqa: E402

from tests.data_modules.files.ophthalmic import noise, photograph  # noqa: E402


def compressed(path: Path, syntax: str, frames: list[bytes], pieces: int = 1) -> None:
    """Replace the pixel data of a file by compressed frames."""
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
    dataset.PixelData = encaps.encapsulate(frames, fragments_per_frame=pieces)
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path)


def by_gdcm(path: Path, syntax: str) -> None:
    """Compress a file by GDCM."""
    gdcm = pytest.importorskip("gdcm")
    reader = gdcm.ImageReader()
    reader.SetFileName(str(path))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.GetTSType(syntax)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFileName(str(path))
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    assert writer.Write()


def by_pillow(pixels: np.ndarray, kind: str) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind)
    return stream.getvalue()


LOSSLESS = {
    "JPEG lossless": uid.JPEGLossless, "JPEG lossless SV1": uid.JPEGLosslessSV1,
    "JPEG-LS": uid.JPEGLSLossless, "JPEG 2000": uid.JPEG2000Lossless, "RLE": uid.RLELossless,
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("frames", [1, 2])
def test_lossless_compression_changes_no_pixel(
    tmp_path: Path, name: str, bits: int, frames: int
) -> None:
    shape = (40, 50, 3) if frames == 1 else (frames, 40, 50, 3)
    # GDCM cannot encode noise of 16 bit as JPEG 2000: it would take more than uncompressed.
    smooth = np.arange(frames * 6000, dtype=np.uint16).reshape(shape) * 5
    pixels = noise(shape) if bits == 8 else smooth
    photograph(tmp_path / "a.dcm", pixels, bits=bits)
    by_gdcm(tmp_path / "a.dcm", LOSSLESS[name])
    assert pydicom.dcmread(tmp_path / "a.dcm").file_meta.TransferSyntaxUID == LOSSLESS[name]
    read = [frame.permute(1, 2, 0).numpy() for frame in read_frames(tmp_path / "a.dcm")]
    assert np.array_equal(np.stack(read), pixels.reshape(-1, 40, 50, 3))


@pytest.mark.filterwarnings("ignore:.*JFIF APP marker:UserWarning:pydicom")
@pytest.mark.parametrize("kind", ["YBR_FULL_422", "RGB"])
def test_jpeg_has_the_colours_that_it_had(tmp_path: Path, kind: str) -> None:
    """A picture by Pillow is YBR with a JFIF marker, also where the attributes say RGB."""
    orange = np.full((40, 50, 3), (200, 120, 40), np.uint8)
    photograph(tmp_path / "a.dcm", orange, PhotometricInterpretation=kind)
    compressed(tmp_path / "a.dcm", uid.JPEGBaseline8Bit, [by_pillow(orange, "JPEG")])
    image = read_native(tmp_path / "a.dcm").permute(1, 2, 0).numpy()
    assert np.abs(image.astype(int) - orange).max() <= 3


def test_frames_in_several_pieces_are_told_apart_by_the_offset_table(tmp_path: Path) -> None:
    grey = [np.full((40, 50), value, np.uint8) for value in (30, 60, 90)]
    photograph(tmp_path / "a.dcm", np.stack(grey), "MONOCHROME2")
    frames = [by_pillow(one, "JPEG") for one in grey]
    compressed(tmp_path / "a.dcm", uid.JPEGBaseline8Bit, frames, pieces=2)
    assert [int(one.float().mean()) for one in read_frames(tmp_path / "a.dcm")] == [30, 60, 90]
    dataset = pydicom.dcmread(tmp_path / "a.dcm")
    dataset.PixelData = encaps.encapsulate(frames, fragments_per_frame=2, has_bot=False)
    dataset.save_as(tmp_path / "a.dcm")
    with pytest.raises(PictureError, match="3 frames in 6 pieces and no offset table"):
        read_header(tmp_path / "a.dcm")


@pytest.mark.parametrize("lost", [1, 400, 2000])
def test_compressed_pixels_that_are_cut_off_are_told_by_the_header(
    tmp_path: Path, lost: int
) -> None:
    photograph(tmp_path / "a.dcm", noise((2, 40, 50)), "MONOCHROME2")
    frames = [by_pillow(one, "JPEG") for one in noise((2, 40, 50))]
    compressed(tmp_path / "a.dcm", uid.JPEGBaseline8Bit, frames)
    content = (tmp_path / "a.dcm").read_bytes()
    (tmp_path / "a.dcm").write_bytes(content[: -8 - lost])
    with pytest.raises(PictureError, match=r"a\.dcm: has .*(cut off|damaged)"):
        read_header(tmp_path / "a.dcm")


def test_fewer_frames_than_told_are_refused(tmp_path: Path) -> None:
    photograph(tmp_path / "a.dcm", noise((40, 50)), "MONOCHROME2", NumberOfFrames=10000)
    compressed(tmp_path / "a.dcm", uid.JPEGBaseline8Bit, [by_pillow(noise((40, 50)), "JPEG")])
    with pytest.raises(PictureError, match="has 1 frames where its attributes say 10000"):
        read_header(tmp_path / "a.dcm")


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000", "JPEG-LS"])
def test_pixels_are_not_decoded_at_another_size_than_the_header_says(
    tmp_path: Path, kind: str
) -> None:
    syntax = {
        "JPEG": uid.JPEGBaseline8Bit, "JPEG2000": uid.JPEG2000, "JPEG-LS": uid.JPEGLSLossless
    }[kind]  # fmt: skip
    if kind == "JPEG-LS":
        pytest.importorskip("gdcm")
    photograph(tmp_path / "a.dcm", noise((40, 50)), "MONOCHROME2")
    grey = np.full((5000, 5000), 90, np.uint8)
    if kind == "JPEG-LS":  # the marker of its size suffices
        frame = b"\xff\xd8\xff\xf7\x00\x0b\x08" + (5000).to_bytes(2, "big") * 2 + bytes(40)
    else:
        frame = by_pillow(grey, kind)
    compressed(tmp_path / "a.dcm", syntax, [frame])
    told = r"a\.dcm: is 50x40 px by its attributes, but its pixels are 5000x5000"
    with pytest.raises(PictureError, match=told):
        read_native(tmp_path / "a.dcm")


def test_a_run_length_bomb_is_not_expanded(tmp_path: Path) -> None:
    photograph(tmp_path / "a.dcm", noise((40, 50)), "MONOCHROME2")
    header = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56)
    compressed(tmp_path / "a.dcm", uid.RLELossless, [header + b"\x81\x00" * (1 << 20)])
    tracemalloc.start()
    with pytest.raises(PictureError, match="is 50x40 px by its attributes"):
        read_native(tmp_path / "a.dcm")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 32 << 20, "128 MB expanded"


def test_a_missing_plugin_is_told_with_what_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photograph(tmp_path / "a.dcm", noise((40, 50)), "MONOCHROME2")
    compressed(tmp_path / "a.dcm", uid.JPEGLosslessSV1, [b"whatever"])
    decoder = pydicom.pixels.get_decoder(uid.JPEGLosslessSV1)
    monkeypatch.setattr(decoder, "_available", {})
    told = r"a\.dcm: is compressed as 'JPEG Lossless.*pip install 'magenet\[dicom\]'"
    with pytest.raises(PictureError, match=told):
        read_header(tmp_path / "a.dcm")


@pytest.mark.parametrize("syntax", [uid.MPEG2MPML, uid.HTJ2K])
def test_a_compression_that_is_not_read_is_told_by_the_header(tmp_path: Path, syntax: str) -> None:
    photograph(tmp_path / "a.dcm", noise((40, 50)), "MONOCHROME2")
    compressed(tmp_path / "a.dcm", syntax, [b"whatever"])
    with pytest.raises(PictureError, match=r"a\.dcm: is compressed as '"):
        read_header(tmp_path / "a.dcm")


@pytest.mark.parametrize("syntax", [uid.JPEGBaseline8Bit, *LOSSLESS.values()])
def test_damaged_frames_are_one_line(tmp_path: Path, syntax: str) -> None:
    photograph(tmp_path / "a.dcm", noise((40, 50)), "MONOCHROME2")
    compressed(tmp_path / "a.dcm", syntax, [b"\xff\xd8\xff\xd9 whatever"])
    with pytest.raises(PictureError, match=r"a\.dcm: ") as caught:
        read_native(tmp_path / "a.dcm")
    assert "\n" not in str(caught.value)
