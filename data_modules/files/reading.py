"""Reading of pictures from disk; :mod:`data_modules.files.writing` writes them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from torch import Tensor

from data_modules.files import dicom
from data_modules.files.errors import PictureError, require_16_bit_extra, require_file
from data_modules.files.memory_estimate import Header

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
"""File name endings that count as a photograph in a folder."""

NATIVE_SUFFIXES = (*SUFFIXES, *dicom.SUFFIXES)
"""The same for photographs read at their own bit depth by :func:`read_native`."""

MINIMUM_SIDE = 32
"""Smallest height and width of a photograph, in pixels: the networks' own limit."""

MOST_ELONGATED = 4
"""Greatest ratio of the longer side to the shorter (our choice): the square around the field is as
large as the longer side."""

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
"""Decoders of Pillow that may be used, whatever a file's name; that of JPEG also opens MPO, which
cameras write as `.jpg`."""

BITS_PER_SAMPLE, SAMPLES_PER_PIXEL, ROWS_PER_STRIP = 0x0102, 0x0115, 0x0116
PLANAR, TILE_WIDTH, TILE_LENGTH = 0x011C, 0x0142, 0x0143
"""TIFF tags."""

STORED_BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}
"""Bytes per pixel in memory of Pillow's modes; 4 for others."""

ENCODER_BYTES = {
    (".jpg", 1): 6, (".jpeg", 1): 6, (".webp", 1): 48,
    (".png", 2): 26, (".tif", 2): 8, (".tiff", 2): 8,
}  # fmt: skip
"""Bytes per pixel of the encoder for a name's ending and the bytes per sample, measured on noise of
4000x4000 px; 5 for others."""

BAND = 256
"""Rows of a picture of floats that are scaled at a time."""


def read_header(path: str | Path) -> Header:
    """Read the size and bit depth of a photograph without decoding any pixel.

    Raises:
        PictureError: If it cannot be read, or is so large that it must be a decompression bomb
            (Pillow's limit, 179 million pixels).
    """
    if dicom.is_dicom(path):
        header = dicom.dicom_header(path)
        require_shape(path, header.width, header.height)
        return header
    with _opened(path) as picture:
        require_shape(path, *picture.size)
        pixels = picture.width * picture.height
        sample_bytes = 2 if _reads_16_bit(picture) else 1
        suffix = Path(path).suffix.lower()
        encoding = ENCODER_BYTES.get((suffix, sample_bytes), 5) * pixels
        decoding = _decoding_bytes(picture) + _buffer_bytes(path, picture)
        if sample_bytes == 2:
            decoding += os.path.getsize(path)  # read whole: further pages too
        return Header(*picture.size, sample_bytes, decoding, encoding, _notes(picture))


def is_rotated(path: str | Path) -> bool:
    """Return whether EXIF tells that a picture is to be rotated or mirrored.

    Raises:
        PictureError: If it cannot be read.
    """
    with _opened(path) as picture:
        return bool(picture.getexif().get(ExifTags.Base.Orientation, 1) != 1)


def header_fault(path: str | Path) -> str | None:
    """Return what is wrong with a picture's header, or None; no pixel is decoded."""
    try:
        with _opened(path) as picture:
            require_shape(path, *picture.size)
    except PictureError as error:
        return str(error)
    return None


def require_shape(path: str | Path, width: int, height: int) -> None:
    """Raise if a photograph is too small for the networks, or too long for its width.

    Args:
        path: Its file, or what to call it.
        width: In pixels.
        height: In pixels.

    Raises:
        PictureError: If it is.
    """
    if min(width, height) < MINIMUM_SIDE:
        raise PictureError(
            f"{path}: is {width}x{height} px; a photograph needs at least "
            f"{MINIMUM_SIDE}x{MINIMUM_SIDE}"
        )
    if max(width, height) > MOST_ELONGATED * min(width, height):
        raise PictureError(
            f"{path}: is {width}x{height} px: too long for its width to be a photograph of an eye "
            f"(at most {MOST_ELONGATED} : 1)"
        )


def read_photograph(path: str | Path) -> Tensor:
    """Read a photograph as RGB with 8 bits a colour.

    EXIF rotation is applied; grey, palette, transparent and CMYK pictures become RGB
    (transparency on black); 16-bit grey is scaled to 8 bit, floats are 0 to 1.

    Args:
        path: A file that Pillow can read.

    Returns:
        uint8 `(3, H, W)`.

    Raises:
        PictureError: If the file is missing, not a picture, broken, smaller than 32 px, more than
            four times as long as it is wide, or has values outside their range.
    """
    with _opened(path) as header:
        require_shape(path, *header.size)
    picture = _decode(path)
    if picture.mode.startswith("I") or picture.mode == "F":
        picture = Image.fromarray(_as_8_bit(path, picture))
    if _is_transparent(picture):
        picture = _on_black(picture)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    array = np.empty((3, picture.height, picture.width), np.uint8)
    for colour, plane in enumerate(array):  # one at a time, to spare memory
        plane[:] = np.asarray(picture.getchannel(colour))
    return torch.from_numpy(array)


def read_native(path: str | Path) -> Tensor:
    """Read a photograph as RGB at its own bit depth.

    As :func:`read_photograph`, but 16 bits stay 16 bits, and DICOM files are read as well.

    Args:
        path: What Pillow can read, a PNG or TIFF of 16 bit, or a DICOM file of one frame.

    Returns:
        uint8 or uint16 `(3, H, W)`.

    Raises:
        PictureError: If it cannot be read, is smaller than 32 px, or needs a package that is not
            installed.
    """
    if dicom.is_dicom(path):
        require_shape(path, *dicom.dicom_header(path)[:2])
        return dicom.read_dicom(path)
    with _opened(path) as picture:
        require_shape(path, *picture.size)
        is_16_bit = _reads_16_bit(picture)
    if not is_16_bit:
        return read_photograph(path)
    with require_16_bit_extra(path):
        import cv2
    # OpenCV, since Pillow decodes colours of 16 bit to 8; it applies the EXIF rotation. From bytes,
    # since on Windows it opens no file whose name has other letters than the system's own.
    values = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_ANYDEPTH | cv2.IMREAD_COLOR)
    if values is None or values.dtype != np.uint16:
        raise PictureError(f"{path}: a picture of more than 8 bits that OpenCV cannot decode")
    return torch.from_numpy(np.ascontiguousarray(values[..., ::-1].transpose(2, 0, 1)))


def read_mask(path: str | Path, like: Tensor | None = None) -> Tensor:
    """Read a binary mask: above middle grey is inside; in a mask of 0 and 1, not 0.

    Args:
        path: A picture of any mode; of colours the brightest channel counts.
        like: The photograph that the mask belongs to, `(3, H, W)`.

    Returns:
        bool `(1, H, W)`.

    Raises:
        PictureError: If it cannot be read, has another size than the photograph, or is dark all
            over, as a map of labels 0, 1 and 2 is.
    """
    picture = _decode(path, like)
    if picture.mode in ("1", "L", "LA") or picture.mode.startswith("I") or picture.mode == "F":
        level = np.array(picture.convert("L"))
    else:
        level = np.array(picture.convert("RGB")).max(axis=2)
    most = int(level.max(initial=0))
    if 1 < most <= 127:
        raise PictureError(
            f"{path}: is no mask of black and white, or of 0 and 1: its greatest value is {most}; "
            "of a map of labels write a mask for each"
        )
    return torch.from_numpy(level > (127 if most > 1 else 0))[None]


def read_bits(path: str | Path, like: Tensor) -> Tensor:
    """Read a mask whose pixels are bit flags.

    Args:
        path: A grey picture of 8 bit.
        like: The photograph that it belongs to, `(3, H, W)`.

    Returns:
        uint8 `(1, H, W)`.

    Raises:
        PictureError: If it cannot be read, is not grey, or has another size.
    """
    picture = _decode(path, like)
    if picture.mode not in ("L", "P", "1"):
        raise PictureError(
            f"{path}: bit flags need a grey picture of 8 bit, this is {picture.mode}"
        )
    return torch.from_numpy(np.array(picture, dtype=np.uint8))[None]


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    """Open a picture with Pillow, and turn whatever it raises into a :class:`PictureError`."""
    require_file(path)
    try:
        with Image.open(path, formats=FORMATS) as picture:
            _require_known_layout(path, picture)
            yield picture
    except UnidentifiedImageError:
        if dicom.is_dicom(path):
            raise PictureError(
                f"{path}: a DICOM file: `magenet enhance` reads it, a training or test does not: "
                "export it as PNG"
            ) from None
        raise PictureError(
            f"{path}: cannot be read as a picture: damaged, or of a format that is not supported "
            "(JPEG, PNG, TIFF, BMP, WebP and DICOM are)"
        ) from None
    except PictureError:
        raise
    except Exception as error:  # a broken file can raise anything in Pillow's many decoders
        raise PictureError(f"{path}: cannot be decoded ({error})") from None


def _require_known_layout(path: str | Path, picture: Image.Image) -> None:
    """Raise over a TIFF that Pillow and OpenCV decode to wrong values without an error.

    Raises:
        PictureError: If its samples have 9 to 15 bits, or more than 8 with its colours one after
            the other.
    """
    if not isinstance(picture, TiffImageFile):
        return
    tags = picture.tag_v2
    bits = max(tags.get(BITS_PER_SAMPLE, (8,)))
    if 8 < bits < 16:
        raise PictureError(f"{path}: a TIFF of {bits} bits a colour: save it with 8 or 16")
    if bits > 8 and tags.get(SAMPLES_PER_PIXEL, 1) > 1 and tags.get(PLANAR, 1) != 1:
        raise PictureError(
            f"{path}: a TIFF of {bits} bits that stores its colours one after the other: save it "
            "with the colours of a pixel together ('contiguous' or 'interleaved')"
        )


def _decode(path: str | Path, like: Tensor | None = None) -> Image.Image:
    """Decode a picture and apply its EXIF rotation.

    Raises:
        PictureError: If it cannot be read, or is a mask of another size than its photograph
            `(3, H, W)`; one of another number of pixels is not decoded.
    """
    with _opened(path) as picture:
        if like is not None and picture.width * picture.height != like[0].numel():
            _require_size_of(path, picture, like)
        picture.load()  # Pillow rotates a TIFF here, and removes its orientation
        picture.getexif()
        # The bytes that EXIF was read from: Pillow would encode them anew, and fail over odd ones.
        picture.info.pop("exif", None)
        picture.info.pop("Raw profile type exif", None)
        ImageOps.exif_transpose(picture, in_place=True)
        if like is not None:
            _require_size_of(path, picture, like)
        return picture


def _as_8_bit(path: str | Path, picture: Image.Image) -> np.ndarray[Any, Any]:
    """Return a grey picture of floats, 0 to 1, or of integers, 0 to 65535, as uint8 `(H, W)`.

    Raises:
        PictureError: If a value lies outside, or is not a number: its scale is not known.
    """
    peak = 1.0 if picture.mode == "F" else 65535.0
    lowest, highest = np.inf, -np.inf
    grey = np.empty((picture.height, picture.width), np.uint8)
    for top in range(0, picture.height, BAND):  # in bands, to spare memory
        bottom = min(top + BAND, picture.height)
        values = np.asarray(picture.crop((0, top, picture.width, bottom)), dtype=np.float32)
        if not np.isfinite(values).all():
            raise PictureError(f"{path}: has values that are not finite numbers (NaN or infinite)")
        lowest, highest = min(lowest, values.min()), max(highest, values.max())
        grey[top:bottom] = (values / peak * 255.0).round().clip(0, 255)
    if lowest < 0 or highest > peak:
        raise PictureError(
            f"{path}: has values from {lowest:g} to {highest:g}; {picture.mode} pictures need "
            f"0 to {peak:g}: scale them"
        )
    return grey


def _is_transparent(picture: Image.Image) -> bool:
    """Return whether a picture has an alpha channel or a transparent colour."""
    return picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info


def _on_black(picture: Image.Image) -> Image.Image:
    """Return a transparent picture on black, as RGB."""
    rgba = picture.convert("RGBA")
    black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, rgba).convert("RGB")


def _notes(picture: Image.Image) -> tuple[str, ...]:
    """Return what the result of a picture will lack, in words."""
    try:
        pages = getattr(picture, "n_frames", 1)
    except Exception:  # the first page may be whole where a further one is damaged
        return ("first page; further ones are damaged",)
    notes = [f"first of {pages} pages"] if pages > 1 else []
    if _is_transparent(picture):
        notes.append("its transparency is not kept")
    return tuple(notes)


def _decoding_bytes(picture: Image.Image) -> int:
    """Return the memory from a decoded picture to a tensor, in bytes: measured, by its kind."""
    pixels = picture.width * picture.height
    if _reads_16_bit(picture):
        return 18 * pixels
    stored = STORED_BYTES.get(picture.mode, 4)
    if _is_transparent(picture):
        return (stored + 16) * pixels
    return max(2 * stored, stored + 5, 10) * pixels


def _buffer_bytes(path: str | Path, picture: Image.Image) -> int:
    """Return the memory of a picture's decoder, in bytes."""
    pixels = picture.width * picture.height
    if isinstance(picture, TiffImageFile):
        tags = picture.tag_v2
        rows = tags.get(TILE_LENGTH) or min(tags.get(ROWS_PER_STRIP, 1 << 32), picture.height)
        columns = tags.get(TILE_WIDTH) or picture.width
        bits = sum(tags.get(BITS_PER_SAMPLE, (8,))) * tags.get(SAMPLES_PER_PIXEL, 1)
        return int(2 * rows * columns * max(4, bits / 8))
    if picture.format == "WEBP":  # whole file, two canvases, and what is handed over
        return 12 * pixels + 2 * os.path.getsize(path)
    return 0


def _reads_16_bit(picture: Image.Image) -> bool:
    """Return whether :func:`read_native` gives 16 bits for an opened picture."""
    return picture.mode != "F" and _is_16_bit(picture)


def _is_16_bit(picture: Image.Image) -> bool:
    """Return whether an opened picture has more than 8 bits a colour."""
    if isinstance(picture, TiffImageFile):
        return bool(max(picture.tag_v2.get(BITS_PER_SAMPLE, (8,))) > 8)
    if isinstance(picture, PngImageFile):
        return any(";16" in str(tile.args) for tile in picture.tile)
    return picture.mode.startswith("I")


def _require_size_of(path: str | Path, mask: Image.Image, photograph: Tensor) -> None:
    """Raise if a mask differs in size from the photograph that it belongs to."""
    height, width = photograph.shape[-2:]
    if (mask.height, mask.width) != (height, width):
        raise PictureError(
            f"{path}: is a mask of {mask.width}x{mask.height} px for a photograph of "
            f"{width}x{height} px; they must be equal"
        )
