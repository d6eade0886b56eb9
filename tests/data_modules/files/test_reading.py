import os
import pickle
import struct
import zlib
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, UnidentifiedImageError

from data_modules.files.errors import PictureError
from data_modules.files.memory_estimate import memory_of
from data_modules.files.reading import (
    header_fault,
    read_header,
    read_mask,
    read_native,
    read_photograph,
)
from data_modules.files.writing import read_metadata, write_photograph


def gradient(height: int = 40, width: int = 50) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    return Image.fromarray(np.stack([y * 5, x * 5, (x + y) * 2], -1).astype(np.uint8))


TURNED = {
    1: lambda pixels: pixels,
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].swapaxes(0, 1),
    8: lambda pixels: np.rot90(pixels),
    9: lambda pixels: pixels,  # not a value that EXIF knows
}
"""What each value of EXIF's orientation does to stored pixels."""


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("kind", ["png", "tif", "webp"])
def test_exif_rotation_is_applied_once(tmp_path: Path, orientation: int, kind: str) -> None:
    picture = gradient()
    exif = picture.getexif()
    exif[0x0112] = orientation
    picture.save(
        tmp_path / f"a.{kind}", exif=exif, **({"lossless": True} if kind == "webp" else {})
    )
    upright = TURNED[orientation](np.array(picture))
    read = read_photograph(tmp_path / f"a.{kind}").permute(1, 2, 0).numpy()
    assert np.array_equal(read, upright)
    mask = read_mask(tmp_path / f"a.{kind}")[0].numpy()
    assert mask.shape == upright.shape[:2], "a mask is rotated as its photograph is"


def test_exif_that_cannot_be_encoded_again_costs_no_photograph(tmp_path: Path) -> None:
    picture = gradient()
    exif = picture.getexif()
    exif[0x0112], exif[0x9999] = 6, "seventy-two"
    resolution, text = 0x011A, exif.tobytes()
    order = "<" if text[6:8] == b"II" else ">"
    text = text.replace(struct.pack(f"{order}H", 0x9999), struct.pack(f"{order}H", resolution))
    picture.save(tmp_path / "odd.png", exif=text)
    with Image.open(tmp_path / "odd.png") as odd:
        assert odd.getexif()[resolution] == "seventy-two", "a text for a number"
        with pytest.raises((TypeError, ValueError, struct.error)):
            odd.getexif().tobytes()
    upright = torch.from_numpy(np.array(picture.rotate(-90, expand=True))).permute(2, 0, 1)
    assert torch.equal(read_photograph(tmp_path / "odd.png"), upright)


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK", "LA", "1", "I;16"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    grey = gradient().convert("L")
    if mode == "I;16":
        wide = np.asarray(grey).astype(np.uint16) * 257
        picture = Image.fromarray(wide)
    else:
        picture = (gradient() if mode in ("RGB", "RGBA", "P", "CMYK") else grey).convert(mode)
    path = tmp_path / f"picture.{'tif' if mode == 'CMYK' else 'png'}"
    picture.save(path)
    image = read_photograph(path)
    assert image.dtype == torch.uint8
    assert image.shape == (3, 40, 50)
    if mode in ("L", "I;16"):
        assert torch.equal(image[0], torch.from_numpy(np.array(grey)))
        assert torch.equal(image[0], image[2])


def broken(folder: Path) -> dict[str, Path]:
    """Files that are no photographs, by what is wrong with them."""
    files = {name: folder / f"{name}.jpg" for name in ("text", "truncated", "absent", "folder")}
    files["text"].write_text("not a picture")
    gradient(200, 200).save(files["truncated"], quality=95)
    files["truncated"].write_bytes(files["truncated"].read_bytes()[:900])
    files["folder"].mkdir()
    files["dot"] = folder / "dot.png"
    Image.new("RGB", (1, 1)).save(files["dot"])
    return files


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("text", "cannot be read as a picture: damaged, or of a format that is not supported"),
        ("truncated", "cannot be decoded"),
        ("absent", "no such file"),
        ("folder", "is a folder"),
        ("dot", "is 1x1 px"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, kind: str, reason: str) -> None:
    path = broken(tmp_path)[kind]
    with pytest.raises(PictureError, match=reason) as caught:
        read_photograph(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_training_is_told_that_it_reads_no_dicom(tmp_path: Path) -> None:
    path = tmp_path / "eye.dcm"
    path.write_bytes(bytes(128) + b"DICM" + bytes(64))
    with pytest.raises(PictureError, match=r"a DICOM file: .* a training or test does not"):
        read_photograph(path)
    assert "a DICOM file" in str(header_fault(path))


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    Image.new("1", (20, 20), 1).save(tmp_path / "mask.png")
    with pytest.raises(PictureError, match="20x20 px for a photograph of 50x40"):
        read_mask(tmp_path / "mask.png", torch.zeros(3, 40, 50))
    assert bool(read_mask(tmp_path / "mask.png").all())


def test_written_photographs_keep_exif_and_are_whole(tmp_path: Path) -> None:
    source = tmp_path / "source.jpg"
    picture = gradient()
    exif = picture.getexif()
    exif[0x010F] = "Topcon"
    exif[0x0112] = 6
    picture.save(source, exif=exif, quality=95)
    image = read_photograph(source)
    for name in ("copy.jpg", "deep/er/copy.png"):
        write_photograph(image, tmp_path / name, source)
        with Image.open(tmp_path / name) as written:
            assert written.getexif()[0x010F] == "Topcon"
            assert 0x0112 not in written.getexif()  # upright now: turning it again would be wrong
    assert torch.equal(read_photograph(tmp_path / "deep/er/copy.png"), image)
    difference = read_photograph(tmp_path / "copy.jpg").float() - image.float()
    assert float(difference.abs().mean()) < 1.5
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGBA", "I;16", "P"])
def test_results_of_odd_tiffs_can_be_read_again(tmp_path: Path, mode: str) -> None:
    """A TIFF's own tags say how its pixels are stored: they must not go over to the result."""
    grey = np.asarray(gradient().convert("L")).astype(np.uint16) * 257
    picture = Image.fromarray(grey) if mode == "I;16" else gradient().convert(mode)
    picture.save(tmp_path / "in.tif")
    image = read_photograph(tmp_path / "in.tif")
    write_photograph(image, tmp_path / "out.tif", tmp_path / "in.tif")
    assert torch.equal(read_photograph(tmp_path / "out.tif"), image)


def test_a_dark_16_bit_photograph_stays_dark(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 40), 200, np.uint16)).save(tmp_path / "dark.png")
    assert int(read_photograph(tmp_path / "dark.png").max()) <= 1


def test_masks_of_0_and_1_are_masks(tmp_path: Path) -> None:
    mask = np.zeros((40, 40), np.uint8)
    mask[10:20] = 1
    Image.fromarray(mask).save(tmp_path / "mask.png")
    assert torch.equal(read_mask(tmp_path / "mask.png")[0], torch.from_numpy(mask > 0))


@pytest.mark.parametrize("colour", [(255, 0, 0), (0, 0, 255), (255, 255, 255)])
@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_masks_of_any_colour_are_masks(
    tmp_path: Path, mode: str, colour: tuple[int, int, int]
) -> None:
    picture = Image.new("RGB", (40, 40))
    picture.paste(colour, (0, 10, 40, 20))
    picture.convert(mode).save(tmp_path / "mask.png")
    mask = read_mask(tmp_path / "mask.png")[0]
    assert bool(mask[10:20].all())
    assert int(mask.sum()) == 400


def test_a_map_of_labels_is_no_mask(tmp_path: Path) -> None:
    labels = np.zeros((40, 40), np.uint8)
    labels[10:30], labels[15:20] = 1, 2
    Image.fromarray(labels).save(tmp_path / "labels.png")
    with pytest.raises(PictureError, match=r"labels\.png: is no mask .* greatest value is 2"):
        read_mask(tmp_path / "labels.png")


def test_what_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    image = torch.zeros(3, 40, 40, dtype=torch.uint8)
    with pytest.raises(PictureError, match="unknown picture ending"):
        write_photograph(image, tmp_path / "a.xyz")
    (tmp_path / "file").touch()
    with pytest.raises(PictureError, match="file: is a file, not a folder to write to"):
        write_photograph(image, tmp_path / "file" / "a.png")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "CMYK"])
def test_8_bits_are_read_natively_as_ever(tmp_path: Path, mode: str) -> None:
    gradient().convert(mode).save(tmp_path / "a.tif")
    assert torch.equal(read_native(tmp_path / "a.tif"), read_photograph(tmp_path / "a.tif"))
    assert read_header(tmp_path / "a.tif")[:3] == (50, 40, 1)


def test_a_decompression_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", 30000, 30000, 8, 2, 0, 0, 0)
    path = tmp_path / "bomb.png"
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0" * 1000))
    )
    for read in (read_header, read_native, read_photograph):
        with pytest.raises(PictureError, match="900000000 pixels"):
            read(path)


def postscript(path: Path) -> None:
    path.write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n%%EndComments\nshowpage\n")


@pytest.mark.parametrize("kind", ["EPS", "GIF", "PPM", "TGA", "PCX"])
def test_only_the_promised_decoders_are_used_whatever_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def started(*given: object) -> None:
        raise AssertionError("Ghostscript is started")

    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", started)
    path = tmp_path / "a.jpg"
    if kind == "EPS":
        postscript(path)
    else:
        gradient().save(path, format=kind)
    metadata = partial(read_metadata, choice="keep")
    for read in (read_header, read_native, read_photograph, read_mask, metadata):
        with pytest.raises((PictureError, UnidentifiedImageError), match="cannot"):
            read(path)


def test_what_cameras_write_as_jpg_is_read(tmp_path: Path) -> None:
    gradient().save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[gradient()])
    assert read_header(tmp_path / "a.jpg").notes == ("first of 2 pages",)
    assert read_native(tmp_path / "a.jpg").shape == (3, 40, 50)


@pytest.mark.parametrize("kind", ["png", "tif", "webp"])
def test_further_pages_and_transparency_are_told(tmp_path: Path, kind: str) -> None:
    pages = [gradient().convert("RGBA").rotate(angle) for angle in (1, 2, 3, 4)]
    pages[0].save(tmp_path / f"a.{kind}", save_all=True, append_images=pages[1:])
    notes = read_header(tmp_path / f"a.{kind}").notes
    assert notes == ("first of 4 pages", "its transparency is not kept")
    gradient().save(tmp_path / f"b.{kind}")
    assert read_header(tmp_path / f"b.{kind}").notes == ()


@pytest.mark.parametrize(
    ("value", "said"),
    [(200.0, "values from 0 to 200"), (-0.5, "from -0.5 to 1"), (np.nan, "not finite"),
     (np.inf, "not finite")],
)  # fmt: skip
def test_floats_out_of_range_are_refused_and_not_guessed(
    tmp_path: Path, value: float, said: str
) -> None:
    values = np.linspace(0, 1, 40 * 50, dtype=np.float32).reshape(40, 50)
    Image.fromarray(values).save(tmp_path / "a.tif")
    expected = (values * 255).round().astype(np.uint8)
    assert np.array_equal(read_native(tmp_path / "a.tif")[1].numpy(), expected)
    values[20, 20] = value
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(PictureError, match=said):
        read_native(tmp_path / "a.tif")


def test_a_strip_is_refused_by_its_header(tmp_path: Path) -> None:
    Image.new("RGB", (40, 161)).save(tmp_path / "a.png")
    for read in (read_header, read_native, read_photograph):
        with pytest.raises(PictureError, match=r"40x161 px: too long .* \(at most 4 : 1\)"):
            read(tmp_path / "a.png")
    assert "too long" in str(header_fault(tmp_path / "a.png"))
    Image.new("RGB", (40, 160)).save(tmp_path / "a.png")
    assert read_photograph(tmp_path / "a.png").shape == (3, 160, 40)


def tiled_tiff(path: Path, side: int, tile: int) -> None:
    """Write a grey TIFF of one deflated tile, larger than the picture."""
    data = zlib.compress(bytes(side * side))
    entries = {256: side, 257: side, 258: 8, 259: 8, 262: 1, 277: 1, 322: tile, 323: tile,
               324: 8 + 2 + 10 * 12 + 4, 325: len(data)}  # fmt: skip
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, entries[tag]) for tag in entries)
    path.write_bytes(
        struct.pack("<2sHI", b"II", 42, 8) + struct.pack("<H", 10) + directory + bytes(4) + data
    )


def test_a_tiff_counts_with_its_tiles(tmp_path: Path) -> None:
    """The decoder's buffer has the size of a tile, however small the picture is."""
    tiled_tiff(tmp_path / "a.tif", 64, 60000)
    assert memory_of(read_header(tmp_path / "a.tif")) > 60000**2


def test_a_pipe_is_never_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    for path in (tmp_path / "a.jpg", Path("/dev/zero")):
        for read in (read_header, read_native, read_photograph, read_mask):
            with pytest.raises(PictureError, match="is a pipe or a device"):
                read(path)


def test_a_mask_of_another_size_is_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("L", (2000, 3000)).save(tmp_path / "mask.png")
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda self: pytest.fail("it is decoded"))
    with pytest.raises(PictureError, match="2000x3000 px for a photograph of 50x40"):
        read_mask(tmp_path / "mask.png", torch.zeros(3, 40, 50))
