"""Pack the photographs that the release is trained on into a small folder, to take elsewhere.

Command:  make pack-photographs
Needs:    MAGENET_DATA=<folder of the photographs>, and MAGENET_DATA_2048=<larger versions>.
Hardware: any.
Time:     5 minutes.
Writes:   runs/packed: index.csv with the columns and names of the original, the photographs with
          their masks, and README.md, which tells what was lost.

The photographs are those of the release's trainings, train and val. Each is reduced until its field
of view is not wider than a training sees it, and encoded again as JPEG, all at one quality: the
highest at which the folder is small enough. A file that would only grow is copied. Names stay,
since a photograph's name decides how it is degraded in validation.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import shutil
import statistics
import sys
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import yaml
from PIL import Image
from torch import Tensor
from torch.nn import functional
from tqdm import tqdm

from data_modules.datasets.manifest import FILE_COLUMNS, Manifest, Photograph, read_rows
from data_modules.datasets.photographs import require_field
from data_modules.files.reading import read_mask, read_photograph
from experiments.configurations import CONFIGS, photographs_folder
from magenet.atomic_write import atomic_write, make_folder
from magenet.errors import UserError
from magenet.imaging.field_of_view import FieldOfView

TRAININGS = [CONFIGS / "runs/release" / f"{part}.yaml" for part in ("light", "detail")]
"""Configurations whose photographs are packed."""

SPLITS = ("train", "val")

QUALITIES = (96, 94, 92, 90, 88, 85, 82, 79, 76, 73, 70)
"""Qualities of JPEG to choose from, best first: below, its blocks can be seen."""

SAMPLE = 60
"""Photographs, about, by which the size of the folder is estimated at each quality."""

SUFFIXES = (".jpg", ".jpeg")
TITLE = "# Photographs packed for the release's training"


class Loss(NamedTuple):
    """What encoding a photograph lost, inside its field of view.

    Attributes:
        psnr: Peak signal-to-noise ratio to the photograph before, in dB.
        fine: Share of its finest band that is left: the projection of what is left of
            photograph minus its mean over 3x3 pixels, green, on what was there.
    """

    psnr: float
    fine: float


@dataclass
class Packed:
    """A photograph, reduced.

    Attributes:
        name: Name in the manifest.
        image: uint8 `(3, H, W)`.
        field: Its field of view, bool `(1, H, W)`.
        masks: Its masks by column, bool `(1, H, W)`.
        original: Content of its file, if it was not reduced.
    """

    name: str
    image: Tensor
    field: Tensor
    masks: dict[str, Tensor]
    original: bytes | None

    def file(self, quality: int) -> bytes:
        """Return the photograph as a JPEG file: the smaller of a new one and the original."""
        new = as_jpeg(self.image, quality)
        return new if self.original is None or len(new) < len(self.original) else self.original


def selection(manifest: Manifest, trainings: list[Path] | None = None) -> list[Photograph]:
    """Return the train and val photographs of a manifest that some training asks for.

    Args:
        manifest: Photographs to choose from.
        trainings: Their configurations; :data:`TRAININGS` if None.

    Raises:
        ManifestError: If a training asks for some that are not there.
    """
    names: set[str] = set()
    for path in TRAININGS if trainings is None else trainings:
        source = yaml.safe_load(path.read_text())["data"]["init_args"]["photographs"]["init_args"]
        names |= {
            photograph.name
            for photograph in manifest.select(
                splits=SPLITS, sets=source.get("sets"), qualities=source.get("qualities")
            )
        }
    return [photograph for photograph in manifest if photograph.name in names]


def reduced(picture: Tensor, scale: float) -> Tensor:
    """Return a picture, uint8 or bool `(C, H, W)`, scaled by a factor that is not above 1."""
    if scale >= 1.0:
        return picture
    size = [max(1, round(side * scale)) for side in picture.shape[-2:]]
    small = functional.interpolate(picture[None].float(), size, mode="bicubic", antialias=True)[0]
    if picture.dtype == torch.bool:
        return small >= 0.5
    return small.round().clamp(0, 255).to(torch.uint8)


def pack(photograph: Photograph, side: int) -> Packed:
    """Return a photograph and its masks, the field of view at most `side` pixels wide."""
    image = read_photograph(photograph.image)
    field: FieldOfView = require_field(photograph, image)
    scale = side / field.square.side
    masks = {
        column: reduced(read_mask(path, image), scale)
        for column in FILE_COLUMNS
        if (path := getattr(photograph, column)) is not None
    }
    original = photograph.image.read_bytes() if scale >= 1.0 else None
    return Packed(
        photograph.name, reduced(image, scale), reduced(field.mask, scale), masks, original
    )


def as_jpeg(image: Tensor, quality: int) -> bytes:
    """Return a photograph as a JPEG file, colours at half the resolution."""
    stream = io.BytesIO()
    picture = Image.fromarray(image.permute(1, 2, 0).numpy())
    picture.save(stream, "JPEG", quality=quality, subsampling=2, optimize=True, progressive=True)
    return stream.getvalue()


def as_png(mask: Tensor) -> bytes:
    """Return a mask as a PNG file of one bit a pixel."""
    stream = io.BytesIO()
    Image.fromarray(mask[0].numpy()).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def loss_of(packed: Packed, after: bytes) -> Loss | None:
    """Return what a JPEG file has lost of a photograph; None for the original file."""
    if after == packed.original:
        return None
    before, field = packed.image, packed.field
    decoded = np.asarray(Image.open(io.BytesIO(after)).convert("RGB"))
    planes = [before.float(), torch.from_numpy(decoded.copy()).permute(2, 0, 1).float()]
    inside = field[0]
    error = (planes[0] - planes[1]).square()[:, inside].mean().clamp(min=1e-6)
    fine = [(p - functional.avg_pool2d(p[None], 3, 1, 1)[0])[1][inside] for p in planes]
    left = (fine[0] * fine[1]).sum() / fine[0].square().sum().clamp(min=1e-6)
    return Loss(float(10 * torch.log10(255**2 / error)), float(left))


def promising(sizes: dict[int, float], most: int) -> list[int]:
    """Return the qualities to try, best first.

    Args:
        sizes: Bytes of the folder by quality, as a sample of the photographs tells them.
        most: Bytes that it may have.
    """
    return sorted((quality for quality, size in sizes.items() if size <= most), reverse=True)


def files_of(packed: Packed, columns: dict[str, str], quality: int) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of a photograph's files: the photograph first, then its masks."""
    yield packed.name, packed.file(quality)
    for column, mask in packed.masks.items():
        yield columns[column], as_png(mask)


def main(arguments: list[str] | None = None) -> int:
    """Pack the photographs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("runs/packed"), help="folder to write")
    parser.add_argument(
        "--mebibytes", type=float, default=26.0, help="size that the folder may have"
    )
    parser.add_argument(
        "--side", type=int, default=1600, help="greatest width of a field of view, in pixels"
    )
    options = parser.parse_args(arguments)
    source = photographs_folder() / "index.csv"
    about = options.out / "README.md"
    if options.out.exists() and not (about.is_file() and about.read_text().startswith(TITLE)):
        raise UserError(f"{options.out}: exists and was not made by this command; choose another")
    columns, rows = read_rows(source, ("image",))
    by_name = {row["image"]: row for row in rows.values()}
    chosen = selection(Manifest.from_csv(source))
    if os.environ.get("MAGENET_DATA_2048"):
        larger = photographs_folder("MAGENET_DATA_2048") / "index.csv"
        versions = {photograph.name: photograph for photograph in Manifest.from_csv(larger)}
        chosen = [versions.get(photograph.name, photograph) for photograph in chosen]
        # Not every larger version has the masks of the smaller one.
        by_name |= {row["image"]: row for row in read_rows(larger, ("image",))[1].values()}
    if wrong := [p.name for p in chosen if not p.name.lower().endswith(SUFFIXES)]:
        raise UserError(f"{source}: {wrong[0]} is no JPEG file: its name could not stay")
    most = round(options.mebibytes * 2**20)
    for quality in promising(sizes_of(chosen, options.side), most):
        shutil.rmtree(options.out, ignore_errors=True)
        make_folder(options.out)
        about.write_text(TITLE)  # from now on the folder is known as ours
        kept, losses = write(chosen, by_name, options, quality)
        if size_of(options.out) <= most:
            break
    else:
        raise UserError(
            f"the photographs are larger than {options.mebibytes} MiB at the lowest quality "
            f"({min(QUALITIES)}): allow more by --mebibytes, or reduce them further by --side"
        )
    with (
        atomic_write(options.out / "index.csv") as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as stream,
    ):
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(kept)
    for name in losses:  # licences ask for the attribution to stay
        attribution = source.parent / name / "README.md"
        if attribution.is_file():
            shutil.copyfile(attribution, options.out / name / "README.md")
    text = report(options.out, quality, losses)
    with atomic_write(about) as part:
        part.write_text(text)
    print(text)
    return 0


def write(
    photographs: list[Photograph],
    rows: dict[str, dict[str, str]],
    options: argparse.Namespace,
    quality: int,
) -> tuple[list[dict[str, str]], dict[str, list[Loss | None]]]:
    """Write photographs and masks; return their rows of the manifest, and the losses by set."""
    kept: list[dict[str, str]] = []
    losses: dict[str, list[Loss | None]] = defaultdict(list)
    for photograph in tqdm(photographs, f"packing at quality {quality}"):
        packed, row = pack(photograph, options.side), rows[photograph.name]
        files = list(files_of(packed, row, quality))
        for name, content in files:
            with atomic_write(options.out / name) as part:
                part.write_bytes(content)
        losses[photograph.set].append(loss_of(packed, files[0][1]))
        height, width = map(str, packed.image.shape[-2:])
        kept.append(row | {"width": width, "height": height} if "width" in row else row)
    return kept, losses


def sizes_of(photographs: list[Photograph], side: int) -> dict[int, float]:
    """Return the bytes that all packed photographs and masks will take by quality, estimated."""
    sample = photographs[:: max(1, len(photographs) // SAMPLE)]
    sizes = dict.fromkeys(QUALITIES, 0.0)
    for photograph in tqdm(sample, "trying qualities"):
        packed = pack(photograph, side)
        masks = sum(len(as_png(mask)) for mask in packed.masks.values())
        for quality in QUALITIES:
            each = masks + len(packed.file(quality))
            sizes[quality] += each * len(photographs) / len(sample)
    return sizes


def size_of(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def row_of(name: str, losses: list[Loss | None]) -> str:
    """Return a set's row of the table of losses."""
    encoded = [loss for loss in losses if loss is not None]
    row = [name, str(len(losses)), str(len(losses) - len(encoded))]
    if encoded:
        row.append(f"{statistics.mean(loss.psnr for loss in encoded):.1f}")
        row.append(f"{statistics.mean(loss.fine for loss in encoded):.2f}")
    return "| " + " | ".join([*row, "", ""][:5]) + " |"


def report(folder: Path, quality: int, losses: dict[str, list[Loss | None]]) -> str:
    """Return what README.md says: size, quality, and what was lost."""
    size = size_of(folder)
    lines = [
        TITLE, "",
        "Made by `make pack-photographs` from the photographs of `experiments/configs/runs/release`"
        f", each encoded again. {sum(map(len, losses.values()))} photographs, "
        f"{size / 2**20:.1f} MiB, JPEG quality {quality}. The licences of the originals hold, see "
        "the column `licence`.",
        "", "Use it by `MAGENET_DATA=<this folder> MAGENET_DATA_2048=<this folder>`.", "",
        "| set | photographs | copied as they are | PSNR, dB | finest band left |",
        "|---|---:|---:|---:|---:|", *(row_of(name, rows) for name, rows in losses.items()), "",
        "PSNR and finest band: of those encoded again, against the photographs as they were "
        "reduced, inside the field of view. Finest band: green, a pixel minus the mean of 3x3. The "
        "dust of the cameras is found anew from these photographs alone, so it differs a little.",
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
