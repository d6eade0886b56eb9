"""What a server takes at most, and how it tells a person that something is too much."""

from __future__ import annotations

from dataclasses import dataclass

from data_modules.files.errors import PictureError
from data_modules.files.memory_estimate import as_text
from data_modules.files.reading import read_header
from magenet.errors import UserError
from magenet.serving.upload import NewUpload

FRAME_PIXELS = 512 * 512
"""Least pixels that a frame of several counts for: a smaller one takes as long."""


class LimitError(UserError):
    """A request exceeds a limit.

    Args:
        message: Which one, and what to do.
        code: Status of HTTP: 413 if the request alone is too large, 429 if it is with what the
            server holds already.
    """

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Limits:
    """Limits of a server; the defaults are our choice.

    Attributes:
        upload: Bytes of one request.
        pixels: Pixels of one photograph, of all frames where its file holds several; each counts
            for :data:`FRAME_PIXELS` at least.
        photographs: Photographs that are held at once.
        disk: Bytes of uploaded photographs that are held at once; results take as much again.
        keep: Minutes after its upload when a photograph is deleted, with all that was made of it.
    """

    upload: int = 200 << 20
    pixels: int = 64_000_000
    photographs: int = 500
    disk: int = 4 << 30
    keep: float = 60.0

    def too_large(self) -> LimitError:
        """Return the error over a request of too many bytes."""
        return LimitError(
            f"The upload is larger than {as_text(self.upload)}, the most that one request may "
            "have: send fewer or smaller photographs at once.",
            413,
        )

    def too_many(self) -> LimitError:
        """Return the error over a request of too many files."""
        return LimitError(
            f"The upload has more than the {self.photographs} photographs that this server holds "
            "at once: send fewer.",
            413,
        )

    def require_pixels(self, upload: NewUpload) -> None:
        """Raise if a photograph has too many pixels; none is decoded.

        What cannot be read at all passes: enhancing it will tell why.

        Raises:
            LimitError: If it has.
        """
        try:
            header = read_header(upload.file)
        except PictureError:
            return
        pixels = header.width * header.height
        if header.frames > 1:
            pixels = header.frames * max(pixels, FRAME_PIXELS)
        if pixels > self.pixels:
            raise LimitError(
                f"{upload.name}: has {pixels / 1e6:.0f} million pixels; this server takes up to "
                f"{self.pixels / 1e6:.0f} million. Nothing of this upload is kept.",
                413,
            )

    def require_room(self, count: int, size: int, held: int, held_size: int) -> None:
        """Raise if uploads do not fit beside those that are held.

        Args:
            count: Number of the new ones.
            size: Their bytes.
            held: Number of those that are held.
            held_size: Their bytes.

        Raises:
            LimitError: If they do not.
        """
        if size > self.disk:
            raise LimitError(
                f"The upload has {as_text(size)}, more than the {as_text(self.disk)} of "
                "photographs that this server holds at once: send fewer, or smaller ones.",
                413,
            )
        if held + count > self.photographs:
            raise LimitError(
                f"The server holds {held} photographs of at most {self.photographs}: download and "
                f"delete some, or wait: each is deleted {self.keep:g} minutes after its upload.",
                429,
            )
        if held_size + size > self.disk:
            raise LimitError(
                f"The server holds {as_text(held_size)} of at most {as_text(self.disk)} of "
                f"photographs: download and delete some, or wait: each is deleted {self.keep:g} "
                "minutes after its upload.",
                429,
            )
