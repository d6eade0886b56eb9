"""Photographs of 16 bits a colour (extra `16bit`)."""

import struct
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms

from data_modules.files.errors import PictureError
from data_modules.files.reading import read_header, read_native, read_photograph
from data_modules.files.writing import write_photograph

cv2 = pytest.importorskip("cv2")
tifffile = pytest.importorskip("tifffile")


def photograph(folder: Path, name: str) -> tuple[Path, torch.Tensor]:
    """Write a photograph of 16 bits a colour with EXIF and profile; return it and its pixels."""
    values = np.random.default_rng(0).integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    image = torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))
    template = folder / "template.jpg"
    exif = Image.Exif()
    exif[0x010F] = "Topcon"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGB", (50, 40)).save(template, exif=exif, icc_profile=profile)
    write_photograph(image, folder / name, template)
    return folder / name, image


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bits_stay_16_bits(tmp_path: Path, name: str) -> None:
    path, image = photograph(tmp_path, name)
    assert read_header(path)[:3] == (50, 40, 2)
    assert torch.equal(read_native(path), image)
    assert int((read_photograph(path).int() - (image.int() >> 8)).abs().max()) <= 1
    with Image.open(path) as written:
        assert written.getexif()[0x010F] == "Topcon"
        assert written.info["icc_profile"]


def test_colours_one_after_the_other_are_refused(tmp_path: Path) -> None:
    """Pillow and OpenCV decode them to wrong colours, without a word."""
    planes = np.stack([np.full((40, 50), level, np.uint16) for level in (60000, 30000, 1000)])
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate")
    for read in (read_header, read_native, read_photograph):
        with pytest.raises(PictureError, match=r"a\.tif: a TIFF of 16 bits .* one after the other"):
            read(path)
    tifffile.imwrite(path, planes.transpose(1, 2, 0), photometric="rgb")
    assert read_native(path)[:, 0, 0].tolist() == [60000, 30000, 1000]


def test_12_bits_are_refused(tmp_path: Path) -> None:
    """Pillow takes the greatest of them for a sixteenth of white."""
    path = tmp_path / "a.tif"
    Image.new("I;16", (50, 40), 4095).save(path)
    content = path.read_bytes()
    bits = struct.pack("<HHIHH", 0x0102, 3, 1, 16, 0)
    assert bits in content
    path.write_bytes(content.replace(bits, struct.pack("<HHIHH", 0x0102, 3, 1, 12, 0)))
    for read in (read_header, read_native, read_photograph):
        with pytest.raises(PictureError, match=r"a\.tif: a TIFF of 12 bits a colour: save it with"):
            read(path)


def test_texts_of_any_kind_cost_no_photograph(tmp_path: Path) -> None:
    _, image = photograph(tmp_path, "a.png")
    exif = Image.Exif()
    exif[0x010E], exif[0x0132], exif[0x8298] = "Müller, links", "gestern", "Klinik"
    Image.new("RGB", (50, 40)).save(tmp_path / "odd.jpg", exif=exif)
    write_photograph(image, tmp_path / "odd.tif", tmp_path / "odd.jpg", "keep")
    assert torch.equal(read_native(tmp_path / "odd.tif"), image)
    with Image.open(tmp_path / "odd.tif") as written:
        assert written.getexif()[0x8298] == "Klinik"
        assert written.getexif()[0x0132] == "gestern"


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L"])
def test_a_profile_of_colours_is_kept_whatever_held_them(tmp_path: Path, mode: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if mode == "L":  # of a grey profile: not that of the colours that a result has
        profile = profile[:16] + b"GRAY" + profile[20:]
    given = tmp_path / "given.png"
    Image.new("RGB", (50, 40), (200, 90, 30)).convert(mode).save(given, icc_profile=profile)
    write_photograph(read_native(given), tmp_path / "result.png", given)
    with Image.open(tmp_path / "result.png") as written:
        assert written.info.get("icc_profile") == (None if mode == "L" else profile)


def test_16_bits_do_not_go_into_a_jpeg(tmp_path: Path) -> None:
    _, image = photograph(tmp_path, "a.png")
    with pytest.raises(PictureError, match="16 bits a colour need PNG or TIFF"):
        write_photograph(image, tmp_path / "a.jpg")
    assert not (tmp_path / "a.jpg").exists()


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_16_bit_pngs_are_rotated_upright(tmp_path: Path, orientation: int) -> None:
    values = np.random.default_rng(0).integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    exif = Image.Exif()
    exif[0x0112] = orientation
    chunk = np.frombuffer(exif.tobytes().removeprefix(b"Exif\x00\x00"), np.uint8)
    cv2.imwriteWithMetadata(
        str(tmp_path / "a.png"), values[..., ::-1], [cv2.IMAGE_METADATA_EXIF], [chunk]
    )
    native, eight = read_native(tmp_path / "a.png"), read_photograph(tmp_path / "a.png")
    assert native.shape == eight.shape
    assert int((eight.int() - (native.int() >> 8)).abs().max()) <= 1


def test_without_the_extra_the_file_and_the_extra_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, image = photograph(tmp_path, "a.png")
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(PictureError, match=r"a\.png: .*need: pip install 'magenet\[16bit\]'"):
        read_native(path)
    for name in ("b.png", "b.tif"):
        with pytest.raises(PictureError) as caught:
            write_photograph(image, tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert "magenet[16bit]" in str(caught.value)
