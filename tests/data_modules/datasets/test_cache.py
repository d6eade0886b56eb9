"""The cache gives what decoding gives, decodes once, and survives what happens to files."""

import multiprocessing
from pathlib import Path

import pytest
import torch

from data_modules import ManifestPhotographs, PairedDataModule
from data_modules.datasets import sources
from data_modules.datasets.phantom import draw_phantom
from data_modules.datasets.photographs import PhotographDataset
from data_modules.files.writing import write_photograph
from tests.data_modules.samples import same
from tests.drawn import drawn_manifest


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    return drawn_manifest(tmp_path, ["train"] * 4)


def cached(manifest: Path, size: int = 48) -> PhotographDataset:
    source = ManifestPhotographs(str(manifest), cache=str(manifest.parent / "cache"))
    return source.dataset("train", size)


def entries(manifest: Path) -> list[Path]:
    return sorted((manifest.parent / "cache").rglob("*.npy"))


def refuse_to_decode(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} is decoded again")

    monkeypatch.setattr(sources, "read_photograph", refuse)


def test_equals_decoding_and_decodes_once(manifest: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ManifestPhotographs(str(manifest)).dataset("train", 48)
    wanted = [plain[i] for i in range(4)]
    first, again = cached(manifest), cached(manifest)
    assert all(same(first[i], wanted[i]) for i in range(4))
    assert len(entries(manifest)) == 4
    refuse_to_decode(monkeypatch)
    assert all(same(again[i], wanted[i]) for i in range(4))
    assert first[(2, 77)]["key"] == 77
    with pytest.raises(AssertionError, match="decoded again"):
        cached(manifest, size=64)[0]


def test_a_changed_file_is_another_entry(manifest: Path) -> None:
    before = cached(manifest)[1]
    write_photograph(draw_phantom(9, 80).image, manifest.parent / "sub.a/eye_1.png")
    assert not torch.equal(cached(manifest)[1]["image"], before["image"])
    mask = torch.zeros(3, 80, 80, dtype=torch.uint8)
    mask[:, 20:60, 20:60] = 255
    write_photograph(mask, manifest.parent / "f_1.png")
    assert bool(cached(manifest)[1]["mask_fov"].all()), "a mask belongs to the content"
    assert len(entries(manifest)) == 3


@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_a_broken_entry_is_made_anew(manifest: Path, content: bytes | None) -> None:
    wanted = cached(manifest)[0]
    (entry,) = entries(manifest)
    whole = entry.read_bytes()
    entry.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert same(cached(manifest)[0], wanted)
    assert entry.read_bytes() == whole


def fill(manifest: Path) -> bool:
    dataset = cached(manifest)
    plain = ManifestPhotographs(str(manifest)).dataset("train", 48)
    return all(same(dataset[i], plain[i]) for i in range(4))


def test_many_processes_fill_one_folder(manifest: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert all(pool.map(fill, [manifest] * 6))
    assert len(entries(manifest)) == 4
    assert not list((manifest.parent / "cache").rglob("*.part"))


def test_a_data_module_takes_it(manifest: Path) -> None:
    source = ManifestPhotographs(str(manifest), cache=str(manifest.parent / "cache"))
    module = PairedDataModule(source, image_size=48, batch_size=2, workers=0)
    plain = PairedDataModule(
        ManifestPhotographs(str(manifest)), image_size=48, batch_size=2, workers=0
    )
    for _ in range(2):
        for one, other in zip(module.train_dataloader(), plain.train_dataloader(), strict=True):
            assert torch.equal(one["image"], other["image"])
            assert one["name"] == other["name"]
