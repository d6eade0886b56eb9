import csv
import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import torch
from PIL import Image

from data_modules.datasets.phantom import draw_phantom
from data_modules.datasets.shards import write_shards
from data_modules.datasets.sources import FolderPhotographs
from data_modules.files.writing import write_photograph
from tests.command_line import LIMITS, SMALL
from tests.drawn import white


@pytest.fixture(autouse=True)
def same_threads() -> object:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like the real photographs, with phantoms instead."""
    folder = tmp_path_factory.mktemp("photographs")
    rows = [("set", "split", "image", "vessel_mask", "fov_mask", "quality")]
    labels = {"idrid": [("image", "disc_mask", "lesion_bitmask", "dr_grade")]}
    labels["hygd"] = [("image", "patient")]
    pairs = [("pair_id", "patient", "low", "high_aligned", "valid_mask")]
    for index, (name, split, quality) in enumerate(
        (name, split, quality)
        for name in ("hrf", "chase_db1", "idrid", "hygd")
        for split in ("train", "val")
        for quality in ("good", "usable")
    ):
        phantom = draw_phantom(index, 64)
        image, masks = f"{name}/eye_{index}.png", []
        write_photograph(phantom.image, folder / image)
        for kind, mask in (("vessels", phantom.vessels), ("fov", phantom.field.mask)):
            # Not in the folder of the set, which holds photographs only.
            masks.append(f"masks/{name}/{kind}_{index}.png")
            write_photograph(white(mask), folder / masks[-1])
        vessels = masks[0] if name in ("hrf", "chase_db1") else ""
        rows.append((name, split, image, vessels, masks[1], quality))
        if name == "idrid":
            disc, lesions = (f"masks/idrid/{kind}_{index}.png" for kind in ("disc", "lesions"))
            write_photograph(white(phantom.disc), folder / disc)
            Image.fromarray(phantom.disc[0].numpy().astype("uint8")).save(folder / lesions)
            labels[name].append((image, disc, lesions, str(index % 5)))
        if name == "hygd":
            labels[name].append((image, f"patient {index}"))
            pairs.append((f"pair {index}", f"patient {index}", image, image, masks[1]))
    tables = {"index.csv": rows, "hygd/pairs.csv": pairs}
    tables |= {f"{name}/labels.csv": lines for name, lines in labels.items()}
    for name, lines in tables.items():
        with (folder / name).open("w", newline="") as stream:
            csv.writer(stream).writerows(lines)
    return folder


@pytest.fixture(scope="session")
def shards(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good and real photographs of two folders, in shards as `magenet shards` writes them."""
    pytest.importorskip("webdataset", reason="needs the extra: pip install 'magenet[stream]'")
    folder = tmp_path_factory.mktemp("shards")
    for kind, name in (("good", "hrf"), ("real", "hygd")):
        write_shards(FolderPhotographs(str(photographs / name)), folder / kind, image_size=48)
    return folder


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as `magenet prepare` makes it, with all labels and three parts."""
    folder = tmp_path_factory.mktemp("prepared")
    kinds = ("vessel", "disc", "cup", "fov")
    rows = [("set", "split", "image", "quality", *(f"{kind}_mask" for kind in kinds))]
    parts = [(s, q) for s in ("train", "val", "test") for q in ("good", "usable", "good", "usable")]
    for seed, (split, quality) in enumerate(parts):
        phantom = draw_phantom(seed, 64)
        masks = (phantom.vessels, phantom.disc, phantom.disc, phantom.field.mask)
        names = [f"{kind}/{seed}.png" for kind in ("images", *kinds)]
        for name, picture in zip(names, (phantom.image, *map(white, masks)), strict=True):
            write_photograph(picture, folder / name)
        rows.append(("eyes", split, names[0], quality, *names[1:]))
    with (folder / "index.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    return folder


@pytest.fixture
def workplace(
    tmp_path: Path, photographs: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """An empty working folder, and the environment variables that configurations use."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAGENET_DATA", str(photographs))
    monkeypatch.setenv("MAGENET_DATA_2048", str(photographs))
    monkeypatch.setenv("MAGENET_GOOD", str(photographs / "hrf"))
    monkeypatch.setenv("MAGENET_REAL", str(photographs / "hygd"))
    for name in ("EYEQ", "VESSELS", "REFUGE"):
        monkeypatch.setenv(f"MAGENET_{name}", str(prepared))
    monkeypatch.setenv("WANDB_MODE", "offline")
    (tmp_path / "limits.yaml").write_text(LIMITS)
    (tmp_path / "small.yaml").write_text(SMALL)
    with mock.patch.dict(os.environ):  # DDP leaves its port there, and a process group behind
        yield tmp_path
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
