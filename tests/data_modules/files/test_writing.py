"""What results keep of their photograph's metadata."""

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from data_modules.files.writing import write_photograph

SECRET = "Erika-Mustermann"
IMAGE = torch.zeros(3, 40, 50, dtype=torch.uint8)


def photograph(folder: Path, name: str) -> Path:
    """Write a photograph that tells a person in every place that Pillow can write to."""
    exif = Image.Exif()
    exif.update({0x010E: SECRET, 0x0131: SECRET, 0x013B: SECRET, 0x8298: SECRET, 0x9C9C: SECRET})
    exif.update({0x010F: "Topcon", 0x0110: "NW400", 0x0132: "2024:03:01 10:11:12"})
    settings = {
        0x9003: "2024:03:01 10:11:12", 0x829A: 0.02, 0x8827: 200,
        0x927C: SECRET.encode(), 0x9286: b"ASCII\0\0\0" + SECRET.encode(),
        0xA420: SECRET, 0xA430: SECRET, 0xA431: SECRET, 0xA435: SECRET,
    }  # fmt: skip
    exif.get_ifd(0x8769).update(settings)
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 0.0), 0x1B: SECRET.encode()})
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    options: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": profile}
    options["dpi"] = (300, 300)
    if name.endswith("jpg"):
        options |= {"comment": SECRET, "xmp": f"<x>{SECRET}</x>".encode()}
    elif name.endswith("png"):
        texts = PngInfo()
        texts.add_text("Comment", SECRET)
        options["pnginfo"] = texts
    Image.new("RGB", (50, 40)).save(folder / name, **options)
    assert SECRET.encode() in (folder / name).read_bytes()
    return folder / name


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp", "16.png", "16.tif"])
def test_clinical_keeps_how_it_was_taken_and_tells_nobody(tmp_path: Path, name: str) -> None:
    source = photograph(tmp_path, "a.jpg" if name.startswith("16") else name)
    result = tmp_path / "out" / name
    write_photograph(IMAGE.to(torch.uint16) if name.startswith("16") else IMAGE, result, source)
    content = result.read_bytes()
    assert SECRET.encode() not in content
    assert SECRET.encode("utf-16-le") not in content
    with Image.open(result) as written:
        exif, dpi = written.getexif(), written.info.get("dpi")
        assert (exif[0x010F], exif[0x0110]) == ("Topcon", "NW400")
        assert exif[0x0132] == "2024:03:01 10:11:12"
        assert not exif.get_ifd(0x8825)
        settings = exif.get_ifd(0x8769)
        if name != "16.tif":
            assert set(settings) == {0x9003, 0x829A, 0x8827}
            assert float(settings[0x829A]) == pytest.approx(0.02)
        assert written.info["icc_profile"]
        if name not in ("a.webp", "16.png"):
            assert dpi == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_none_keeps_the_colour_profile_alone(tmp_path: Path, name: str) -> None:
    result = tmp_path / "out" / name
    write_photograph(IMAGE, result, photograph(tmp_path, name), "none")
    content = result.read_bytes()
    assert not any(word in content for word in (b"Topcon", b"2024:03", SECRET.encode()))
    with Image.open(result) as written:
        assert written.info["icc_profile"]


def test_keep_keeps_texts_and_the_position(tmp_path: Path) -> None:
    write_photograph(IMAGE, tmp_path / "b.jpg", photograph(tmp_path, "a.jpg"), "keep")
    with Image.open(tmp_path / "b.jpg") as written:
        exif = written.getexif()
        assert exif[0x013B] == SECRET
        assert exif.get_ifd(0x8825)[2] == (48.0, 8.0, 0.0)
        assert exif.get_ifd(0x8769)[0xA431] == SECRET


def test_texts_in_the_place_of_dates_and_numbers_are_dropped(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0132] = SECRET
    exif.get_ifd(0x8769).update({0x9003: SECRET, 0x8827: 100})
    Image.new("RGB", (50, 40)).save(tmp_path / "a.png", exif=exif)
    write_photograph(IMAGE, tmp_path / "b.png", tmp_path / "a.png")
    assert SECRET.encode() not in (tmp_path / "b.png").read_bytes()
    with Image.open(tmp_path / "b.png") as written:
        assert set(written.getexif().get_ifd(0x8769)) == {0x8827}
