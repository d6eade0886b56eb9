"""Shards hold what decoding gives, and training from them sees each photograph once a pass."""

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from data_modules import (
    AdaptationDataModule,
    FolderPhotographs,
    ManifestPhotographs,
    PairedDataModule,
    PhantomPhotographs,
    StreamedPhotographs,
)
from data_modules.base import FundusDataModule
from data_modules.datasets import streaming
from data_modules.datasets.sampling import Plan, ShardSampler
from data_modules.datasets.shards import ShardFile, Stored, write_shards
from data_modules.datasets.streaming import ShardDataset
from data_modules.files.errors import PictureError
from magenet.errors import UserError
from magenet.hashing import name_key
from magenet.main import main
from tests.data_modules.samples import Run, same
from tests.drawn import drawn_manifest

pytest.importorskip("webdataset", reason="needs the extra: pip install 'magenet[stream]'")

SIZE = 48


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty-one photographs to train on, some with a vessel mask, and three to validate on."""
    folder = tmp_path_factory.mktemp("photographs")
    return drawn_manifest(folder, ["train"] * 21 + ["val"] * 3, 64)


@pytest.fixture(scope="module")
def shards(manifest: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shards")
    assert write_shards(ManifestPhotographs(str(manifest)), folder, SIZE, shard_size=4) == []
    return folder


@pytest.fixture
def spoiled(shards: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    for file in shards.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def module(location: Path, workers: int, run: Run | None = None, seed: int = 0) -> FundusDataModule:
    photographs = StreamedPhotographs(str(location))
    made = PairedDataModule(photographs, image_size=SIZE, batch_size=2, workers=workers, seed=seed)
    made.trainer = run  # type: ignore[assignment]
    return made


def epoch(loader: Any) -> list[list[tuple[str, int]]]:
    """Return `(name, pass)` of each photograph, batch by batch."""
    return [
        [(n, (k - name_key(n)) >> 32) for n, k in zip(b["name"], b["key"].tolist(), strict=True)]
        for b in loader
    ]


def test_shards_hold_bit_for_bit_what_decoding_gives(manifest: Path, shards: Path) -> None:
    for split, count in (("train", 21), ("val", 3), ("test", 3)):
        plain = ManifestPhotographs(str(manifest)).dataset(split, SIZE)  # type: ignore[arg-type]
        streamed = StreamedPhotographs(str(shards)).dataset(split, SIZE)  # type: ignore[arg-type]
        assert len(streamed) == len(plain) == count
        assert all(same(streamed[i], plain[i]) for i in range(count))
        assert same(streamed[0], plain[0]), "also when asked for again"
    assert {bool(plain[i]["vessel_known"]) for i in range(3)} == {True, False}


def test_the_patients_are_those_of_the_manifest_and_old_shards_have_none(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = manifest.read_text().splitlines()
    patients = ["", "Ada", "Ada", "Emmy"] * 6
    rows = [f"{line},{who}" for line, who in zip(lines, ["patient", *patients], strict=True)]
    own = manifest.with_name("patients.csv")
    own.write_text("\n".join(rows) + "\n")
    write_shards(ManifestPhotographs(str(own)), tmp_path, SIZE, shard_size=4)
    for split in ("train", "val", "test"):
        plain = ManifestPhotographs(str(own)).dataset(split, SIZE)  # type: ignore[arg-type]
        streamed = StreamedPhotographs(str(tmp_path)).dataset(split, SIZE)  # type: ignore[arg-type]
        wanted = [plain.patient(i) for i in range(len(plain))]
        assert [streamed.patient(i) for i in range(len(plain))] == wanted
        assert [streamed[i]["patient"] for i in range(len(plain))] == wanted
        assert len(set(wanted)) < len(plain), "some share a patient"
    assert capsys.readouterr().err == ""


def test_validation_and_test_are_those_of_the_manifest(manifest: Path, shards: Path) -> None:
    sources = StreamedPhotographs(str(shards)), ManifestPhotographs(str(manifest))
    for part in ("val_dataloader", "test_dataloader"):
        one, other = (
            getattr(PairedDataModule(s, image_size=SIZE, batch_size=2, workers=1), part)()
            for s in sources
        )
        pairs = list(zip(one, other, strict=True))
        assert all(torch.equal(a["image"], b["image"]) for a, b in pairs)
        assert all(torch.equal(a["key"], b["key"]) for a, b in pairs)


def test_two_ranks_of_two_workers_share_each_pass(shards: Path) -> None:
    given: Counter[tuple[str, int]] = Counter()
    lengths = []
    for rank in (0, 1):
        for number in range(4):
            batches = epoch(module(shards, 2, Run(2, rank, number)).train_dataloader())
            lengths.append(len(batches))
            given.update(item for batch in batches for item in batch)
    assert set(lengths) == {21 // 4}, "21 are not divided by 2 ranks of 2: no rank may wait"
    assert max(given.values()) == 1, "no photograph twice in a pass"
    for index in (0, 1):
        assert len({n for n, i in given if i == index}) == 21, "none is lost in a pass"
    assert {index for _, index in given} <= {0, 1, 2, 3, 4}


def sampled(
    ranks: int, workers: int, epochs: int, counts: list[int], seed: int = 0, steps: int = 5
) -> list[list[list[tuple[int, int]]]]:
    """Return what each rank's sampler gives in each epoch."""
    result = []
    for rank in range(ranks):
        plan = Plan(steps, 2, workers, seed, ranks, rank)
        sampler = ShardSampler(PhantomPhotographs().dataset("train", 48), counts, 2, plan)
        result.append([])
        for number in range(epochs):
            sampler.set_epoch(number)
            result[-1].append(list(sampler))
    return result


@pytest.mark.parametrize(("ranks", "workers"), [(1, 1), (1, 3), (2, 2), (3, 2)])
def test_any_number_of_readers_completes_each_pass(ranks: int, workers: int) -> None:
    counts = [4, 4, 4, 4, 3, 4, 3]
    parts = sampled(ranks, workers, 30, counts)
    given = Counter(item for rank in parts for epoch in rank for item in epoch)
    assert max(given.values()) == 1
    done = 30 * 5 * 2 * ranks // 26
    # Workers are apart by no more than their shares of a shard and of a batch.
    for number in range(done - 2):
        assert {index for index, n in given if n == number} == set(range(26)), number
    assert all(len(epoch) == 10 for rank in parts for epoch in rank)


def test_each_pass_and_each_seed_has_another_order(shards: Path) -> None:
    def order(seed: int, number: int) -> list[tuple[str, int]]:
        batches = epoch(module(shards, 0, Run(1, 0, number), seed).train_dataloader())
        return [item for batch in batches for item in batch]

    assert order(0, 0) == order(0, 0)
    names = [[n for n, _ in order(seed, number)] for seed, number in ((0, 0), (0, 1), (1, 0))]
    assert names[0] != names[1]
    assert names[0] != names[2]
    stored = [f"sub.a/eye_{i}.png" for i in range(21)]
    neighbours = sum(
        stored.index(b) - stored.index(a) == 1 for a, b in zip(names[0], names[0][1:], strict=False)
    )
    assert neighbours <= 8, "mixed within the shards too"


def test_a_key_is_made_of_name_and_pass_alone(shards: Path) -> None:
    keys: dict[tuple[int, int], dict[tuple[str, int], int]] = {}
    for ranks, workers in ((1, 0), (1, 2), (2, 1)):
        found = keys[ranks, workers] = {}
        for rank in range(ranks):
            for number in range(2):
                for b in module(shards, workers, Run(ranks, rank, number)).train_dataloader():
                    for name, key in zip(b["name"], b["key"].tolist(), strict=True):
                        found[name, key >> 32] = key
    first, *others = keys.values()
    assert len(set(first.values())) == len(first), "another in each pass"
    for other in others:
        both = first.keys() & other.keys()
        assert len(both) > 20
        assert all(first[item] == other[item] for item in both)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("number", [0, 3])
def test_a_resume_gives_exactly_the_rest(shards: Path, workers: int, number: int) -> None:
    wanted = epoch(module(shards, workers, Run(1, 0, number)).train_dataloader())
    assert len(wanted) == 10
    for done in (1, 5):
        loader = module(shards, workers, Run(1, 0, number)).train_dataloader()
        iterator = iter(loader)
        for _ in range(done):
            next(iterator)
        state = loader.state_dict()
        again = module(shards, workers, Run(1, 0, number)).train_dataloader()
        again.load_state_dict(state)
        assert epoch(again) == wanted[done:]
        again.sampler.set_epoch(number + 1)  # as Lightning does
        assert epoch(again) == epoch(
            module(shards, workers, Run(1, 0, number + 1)).train_dataloader()
        )


def test_shards_are_read_once_a_pass_and_not_for_what_is_done(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    plain = streaming.read_shard

    def noted(shard: Any) -> Any:
        read.append(shard.address)
        return plain(shard)

    monkeypatch.setattr(streaming, "read_shard", noted)
    loader = module(shards, 0).train_dataloader()
    most = 0
    for _ in loader:
        most = max(most, len(loader.dataset.held))  # type: ignore[attr-defined]
    assert len(read) == len(set(read)) == 6
    assert most <= 4

    resumed = module(shards, 0).train_dataloader()
    partial = module(shards, 0).train_dataloader()
    iterator = iter(partial)
    for _ in range(8):
        next(iterator)
    state = partial.state_dict()
    read.clear()
    resumed.load_state_dict(state)
    assert len(list(resumed)) == 2
    assert len(read) == len(set(read)) <= 3, "of six"


def test_of_many_shards_only_a_few_are_held(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def small(shard: ShardFile) -> list[Stored]:
        read.append(shard.address)
        names = [f"{shard.address}/{i}" for i in range(4)]
        return [Stored(name, name, np.zeros((4, 1, 1), np.uint8)) for name in names]

    monkeypatch.setattr(streaming, "read_shard", small)
    dataset = ShardDataset("set", [ShardFile(str(i), 4, 1) for i in range(50)], mixed=2)
    sampler = dataset.sampler(Plan(steps=200, batch_size=1, workers=1, seed=0))
    orders = []
    for number in (0, 1):
        read.clear()
        sampler.set_epoch(number)
        for item in sampler:
            dataset[item]
            assert len(dataset.held) <= 3, "two mixed, and the one that comes in"
        assert len(read) == len(set(read)) == 50
        assert dataset.held == {}, "what was given is let go"
        orders.append(read.copy())
    assert orders[0] != orders[1]
    for index in range(0, len(dataset), 2):  # a worker that gives every other batch
        dataset[index]
        assert len(dataset.held) <= 4


def test_mixed_batches_take_both_halves_from_shards(shards: Path) -> None:
    photographs = StreamedPhotographs(str(shards))
    both = AdaptationDataModule(
        photographs, photographs, image_size=SIZE, batch_size=2, real_batch_size=3, workers=0
    )
    both.setup("fit")
    batches = [both.prepare(batch, training=True) for batch, _, _ in both.train_dataloader()]
    assert len(batches) == 10
    assert all(len(b["synthetic"]["image_degraded"]) == 2 for b in batches)
    assert all(len(b["real"]["image_strong"]) == 3 for b in batches)


def test_too_few_shards_are_refused(shards: Path) -> None:
    with pytest.raises(UserError, match=r"6 shard.* 8 worker.*2 rank.*--data.workers.*smaller"):
        module(shards, 4, Run(2, 0)).train_dataloader()
    module(shards, 3, Run(2, 0)).train_dataloader()


@pytest.mark.parametrize("kind", ["file:{}", "{}/{{}}"])
def test_a_set_may_be_anywhere(shards: Path, kind: str) -> None:
    elsewhere = StreamedPhotographs(kind.format(shards)).dataset("val", SIZE)
    here = StreamedPhotographs(str(shards)).dataset("val", SIZE)
    assert all(same(elsewhere[i], here[i]) for i in range(3))


@pytest.mark.parametrize("kind", ["{}", "file:{}"])
def test_a_set_without_index_is_not_whole(spoiled: Path, kind: str) -> None:
    (spoiled / "index.json").unlink()
    with pytest.raises(UserError, match=r"index\.json: cannot be read.*is incomplete"):
        StreamedPhotographs(kind.format(spoiled)).dataset("train", SIZE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"layout": 0}, r"index\.json: was written in layout 0.*write the set again"),
        ({"image_size": 64}, r"index\.json: holds photographs of 64 px, not 48"),
        ({"parts": {"val": []}}, r"index\.json: is not an index"),
    ],
)
def test_a_set_of_another_kind_is_refused(
    spoiled: Path, change: dict[str, Any], reason: str
) -> None:
    index = spoiled / "index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | change))
    with pytest.raises(UserError, match=reason):
        StreamedPhotographs(str(spoiled)).dataset("train", SIZE)


@pytest.mark.parametrize("left", [0, 100, 5000, 14 * 1024, -1])
def test_a_broken_shard_is_named(spoiled: Path, left: int) -> None:
    shard = spoiled / "train-000000.tar"
    content = shard.read_bytes()
    if left < 0:
        shard.unlink()
    else:
        shard.write_bytes(content[:left])
    dataset = StreamedPhotographs(str(spoiled)).dataset("train", SIZE)
    with pytest.raises(PictureError, match=r"train-000000\.tar: .*copy it again, or rewrite"):
        dataset[0]
    assert dataset[4]["name"] == "sub.a/eye_4.png"


def test_a_shard_cut_between_photographs_is_named(spoiled: Path) -> None:
    (spoiled / "train-000000.tar").write_bytes((spoiled / "val-000000.tar").read_bytes())
    with pytest.raises(PictureError, match=r"000000\.tar: holds 3 photographs, 4 by the index"):
        StreamedPhotographs(str(spoiled)).dataset("train", SIZE)[0]


def test_the_command_leaves_out_what_is_broken_and_says_so(
    manifest: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in range(5):
        name = f"eye_{place}.png"
        (tmp_path / "in").mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes((manifest.parent / "sub.a" / name).read_bytes())
    held_out = FolderPhotographs(str(tmp_path / "in")).dataset("val", 48).name(0)
    broken = next(p for p in sorted((tmp_path / "in").iterdir()) if p.name != held_out)
    broken.write_bytes(broken.read_bytes()[:800])
    with Image.open(broken):
        pass  # its header is whole
    arguments = ["shards", str(tmp_path / "in"), str(tmp_path / "50%d"), "--image-size", "48"]
    assert main([*arguments, "--shard-size", "2"]) == 1
    told = capsys.readouterr()
    assert f"left out: {broken}: cannot be decoded" in told.err
    dataset = StreamedPhotographs(str(tmp_path / "50%d")).dataset("train", 48)
    assert broken.name not in {dataset.name(i) for i in range(len(dataset))}
    assert not list(tmp_path.rglob("*.part"))

    assert main(arguments) == 1
    assert "index.json: already exists" in capsys.readouterr().err


def test_a_split_that_cannot_be_read_is_an_error_of_bounded_length(tmp_path: Path) -> None:
    manifest = drawn_manifest(tmp_path, ["train", *["val"] * 12], 64)
    for index in range(1, 13):
        photograph = tmp_path / f"sub.a/eye_{index}.png"
        photograph.write_bytes(photograph.read_bytes()[:800])
    with pytest.raises(UserError, match=r"split 'val' can be read: .*eye_1\.png.*; and 2 more$"):
        write_shards(ManifestPhotographs(str(manifest)), tmp_path / "out", SIZE)


def test_what_was_interrupted_is_never_a_set(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(ManifestPhotographs):
        def dataset(self, split: Any, image_size: int) -> Any:
            if split == "test":
                raise KeyboardInterrupt
            return super().dataset(split, image_size)

    with pytest.raises(KeyboardInterrupt):
        write_shards(Interrupted(str(manifest)), tmp_path, SIZE)
    assert list(tmp_path.glob("train-*.tar"))
    with pytest.raises(UserError, match="is incomplete"):
        StreamedPhotographs(str(tmp_path)).dataset("train", SIZE)
    assert write_shards(ManifestPhotographs(str(manifest)), tmp_path, SIZE) == []
    assert len(StreamedPhotographs(str(tmp_path)).dataset("train", SIZE)) == 21


def test_a_missing_library_is_named_with_its_extra(
    manifest: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "webdataset", None)
    assert len(StreamedPhotographs(str(shards)).dataset("train", SIZE)) == 21, "not to read"
    with pytest.raises(UserError, match=r'writing.*pip install "magenet\[stream\]"'):
        write_shards(ManifestPhotographs(str(manifest)), tmp_path, SIZE)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(UserError, match=r's3.*pip install "magenet\[stream\]"'):
        StreamedPhotographs("s3://eyes/good").dataset("train", SIZE)
