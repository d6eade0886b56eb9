"""Shards: photographs cropped, resized and packed into tar files once, to be read sequentially.

A set is a folder, or its equivalent in an object store: `train-000000.tar` and so on for each part,
and `index.json`, which lists them and is written last. Each sample is `<number>.npy`, the planes of
:func:`data_modules.datasets.cache.to_planes`, and `<number>.json` with its name.
"""

from __future__ import annotations

import io
import json
import math
import re
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from data_modules.datasets.cache import LAYOUT, Planes, to_planes
from data_modules.datasets.manifest import listed
from data_modules.datasets.photographs import PhotographDataset, PhotographSource, Sample, Split
from data_modules.files.errors import PictureError
from magenet.atomic_write import atomic_write, make_folder
from magenet.errors import UserError

INDEX = "index.json"
"""File that lists the shards of a set."""


@dataclass(frozen=True)
class Shard:
    """One tar file of a set.

    Attributes:
        address: Address that webdataset opens.
        count: Number of photographs.
    """

    address: str
    count: int


def webdataset() -> Any:
    """Import the library webdataset, an optional dependency.

    Raises:
        UserError: If it is not installed.
    """
    try:
        import webdataset
    except ImportError:
        raise UserError(
            'shards need webdataset, which is not installed: pip install "magenet[stream]"'
        ) from None
    return webdataset


def address(location: str, name: str) -> str:
    """Return the address of a file of a set: its name replaces `{}`, or is appended.

    Example:
        >>> address("https://example.org/eyes", "index.json")
        'https://example.org/eyes/index.json'
        >>> address("pipe:aws s3 cp s3://bucket/eyes/{} -", "index.json")
        'pipe:aws s3 cp s3://bucket/eyes/index.json -'
    """
    if "{}" in location:
        return location.replace("{}", name)
    return f"{location.rstrip('/')}/{name}"


def read_index(location: str, split: Split, image_size: int) -> list[Shard]:
    """Return the shards of one split of a set.

    Args:
        location: See :class:`data_modules.datasets.streaming.StreamedPhotographs`.
        split: `train`, `val` or `test`.
        image_size: Side of the photographs expected, in pixels.

    Raises:
        UserError: If the set is missing or incomplete, or of another version or size.
    """
    path = address(location, INDEX)
    open_address = webdataset().gopen
    try:
        with open_address(path) as stream:
            index = json.load(stream)
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read ({_reason(error)}); 'magenet shards' writes it last, so a "
            "set without it is incomplete"
        ) from None
    try:
        layout, size, files = index["layout"], index["image_size"], index["parts"][split]
        shards = [Shard(address(location, file["name"]), int(file["count"])) for file in files]
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path}: is not an index written by 'magenet shards'") from None
    if layout != LAYOUT:
        raise UserError(
            f"{path}: was written in layout {layout}, but this version needs layout {LAYOUT}: "
            "write the set again with 'magenet shards'"
        )
    if size != image_size:
        raise UserError(
            f"{path}: holds photographs of {size} px, not {image_size}: use "
            f"--data.image_size {size}, or write a set with --image-size {image_size}"
        )
    return shards


def read_shard(shard: Shard) -> list[tuple[str, Planes]]:
    """Read a shard: the names and planes of its photographs, in order.

    Raises:
        PictureError: If it cannot be read, or is incomplete.
    """
    library = webdataset()
    try:
        with library.gopen(shard.address) as stream:
            opened = [{"url": shard.address, "stream": stream}]
            files = library.tariterators.tar_file_expander(opened)
            samples = [
                (str(json.loads(sample["json"])["name"]), np.load(io.BytesIO(sample["npy"])))
                for sample in library.tariterators.group_by_keys(files)
            ]
    except (OSError, ValueError, EOFError, KeyError, TypeError, tarfile.TarError) as error:
        raise PictureError(
            f"{shard.address}: cannot be read as a shard ({_reason(error)}); copy it again, or "
            "rewrite the set"
        ) from None
    if len(samples) != shard.count:
        raise PictureError(
            f"{shard.address}: holds {len(samples)} photographs, {shard.count} by the index; copy "
            "it again, or rewrite the set"
        )
    return samples


class _Readable(Dataset[Sample | str]):
    """Data set of photographs; in place of an unreadable one, its error message."""

    def __init__(self, photographs: PhotographDataset) -> None:
        self.photographs = photographs

    def __len__(self) -> int:
        return len(self.photographs)

    def __getitem__(self, index: int) -> Sample | str:
        try:
            return self.photographs[index]
        except PictureError as error:
            return str(error)


def write_shards(
    photographs: PhotographSource,
    folder: Path,
    image_size: int,
    shard_size: int = 256,
    workers: int = 0,
) -> list[str]:
    """Write all parts of a set; photographs that cannot be decoded are left out.

    Args:
        photographs: Source of the photographs.
        folder: Output folder for shards and index; created if missing.
        image_size: Side of the square that photographs are cropped and resized to, in pixels.
        shard_size: Largest number of photographs in a shard (our choice: 84 MB of them at 256 px);
            the shards of a part are filled evenly.
        workers: Processes that decode; 0 decodes in the main process.

    Returns:
        Error messages of the photographs left out.

    Raises:
        UserError: If the folder holds a set or cannot be written to, or a part has no readable
            photograph.
    """
    folder = folder.resolve()  # a name with a colon would be parsed as an address
    if (folder / INDEX).exists():
        raise UserError(f"{folder / INDEX}: already exists; choose another folder")
    parts: dict[str, list[dict[str, Any]]] = {}
    errors: list[str] = []
    make_folder(folder)
    try:
        for split in get_args(Split):
            dataset = photographs.dataset(split, image_size)
            parts[split] = _write_part(dataset, folder, split, shard_size, workers, errors)
        content = {"layout": LAYOUT, "image_size": image_size, "parts": parts}
        with atomic_write(folder / INDEX) as temporary:
            temporary.write_text(json.dumps(content, indent=1) + "\n")
    except OSError as error:
        raise UserError(f"{folder}: cannot be written to ({_reason(error)})") from None
    return errors


def _write_part(
    dataset: PhotographDataset,
    folder: Path,
    split: Split,
    shard_size: int,
    workers: int,
    errors: list[str],
) -> list[dict[str, Any]]:
    """Write the shards of a part; return their index entries and append to `errors`."""
    shards: list[dict[str, Any]] = []
    writer: Any = webdataset().ShardWriter(
        str(folder / split).replace("%", "%%") + "-%06d.tar",
        maxcount=math.ceil(len(dataset) / math.ceil(len(dataset) / shard_size)),
        maxsize=math.inf,
        post=lambda file: shards.append({"name": Path(file).name, "count": writer.count}),
        verbose=0,
        mtime=0,  # so that the same photographs give the same bytes
    )
    loader = DataLoader(_Readable(dataset), batch_size=None, num_workers=workers)
    with writer:
        for number, sample in enumerate(
            tqdm(loader, desc=split, unit="photograph", disable=not sys.stderr.isatty())
        ):
            if isinstance(sample, str):
                errors.append(sample)
                continue
            content = {"npy": to_planes(sample), "json": {"name": sample["name"]}}
            writer.write({"__key__": f"{number:09d}", **content})
    shards = [shard for shard in shards if shard["count"]]
    if not shards:
        reasons = listed(errors[-len(dataset) :])
        raise UserError(f"no photograph of the split '{split}' can be read: {reasons}")
    return shards


def _reason(error: Exception) -> str:
    """Return the message of an error, without webdataset's additions."""
    message = error.strerror if isinstance(error, OSError) else None
    message = message or str(error.args[0] if error.args else type(error).__name__)
    status = re.search(r"exit \d+", message)  # of a pipe's command
    return message if status is None else f"its command ended with {status[0]}"
