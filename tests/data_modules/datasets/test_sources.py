from pathlib import Path

import pytest
import torch
from PIL import Image

from data_modules import ManifestPhotographs
from data_modules.datasets.manifest import Manifest, ManifestError
from data_modules.files.errors import PictureError
from tests.data_modules.tables import table


def test_labels_come_from_more_files_and_know_what_they_do_not_know(folder: Path) -> None:
    source = ManifestPhotographs(str(folder / "index.csv"), labels=[str(folder / "labels.csv")])
    one, other = source.dataset("test", 64)
    assert (one["patient"], other["patient"]) == ("Ada", "b.png")
    assert (int(one["dr_grade"]), int(other["dr_grade"])) == (3, -1)
    assert bool(one["disc_known"])
    assert not bool(other["disc_known"])
    assert one["mask_disc"].max() == 255
    assert not other["mask_disc"].any()
    lesions = one["mask_lesions"]
    assert lesions.shape == (4, 64, 64)
    assert torch.equal(lesions[0], lesions[3]), "both bits of one pixel"
    assert lesions[2].any()
    assert not lesions[1].any()
    assert not (lesions[0] & lesions[2]).any()


def test_only_what_has_the_label_is_taken(folder: Path) -> None:
    labels = [str(folder / "labels.csv")]
    path = str(folder / "index.csv")
    assert (
        len(ManifestPhotographs(path, labels=labels, only_with="dr_grade").dataset("val", 64)) == 1
    )
    with pytest.raises(ManifestError, match="no photograph with a vessel_mask is left"):
        ManifestPhotographs(path, only_with="vessel_mask").dataset("val", 64)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([("image", "dr_grade"), ("a.png", "7")], "bad.csv: line 2 has dr_grade '7'; use 0 to 4"),
        ([("image", "colour"), ("a.png", "red")], "none of the columns patient, disc_mask"),
        ([("image", "Patient"), ("a.png", "Ada")], "'Patient'"),
        ([("picture", "patient"), ("a.png", "Ada")], "column 'image' is missing"),
        ([("image", "disc_mask"), ("a.png", "gone.png")], r"gone\.png"),
    ],
)
def test_bad_labels_are_named(folder: Path, lines: list[tuple[str, ...]], reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        Manifest.from_csv(folder / "index.csv", [table(folder / "bad.csv", *lines)])


def test_labels_of_other_photographs_are_told(folder: Path) -> None:
    labels = table(folder / "other.csv", ("image", "patient"), ("elsewhere/a.png", "Ada"))
    with pytest.warns(UserWarning, match="none of its images is in .*whose first image is 'a.png'"):
        Manifest.from_csv(folder / "index.csv", [labels])


def test_lesions_of_another_size_are_refused(folder: Path) -> None:
    Image.new("L", (32, 32)).save(folder / "lesions.png")
    source = ManifestPhotographs(str(folder / "index.csv"), labels=[str(folder / "labels.csv")])
    with pytest.raises(PictureError, match=r"lesions\.png: is a mask of 32x32 px"):
        source.dataset("test", 64).load(0)
