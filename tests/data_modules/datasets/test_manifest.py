import os
import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image

from data_modules import FolderPhotographs, ManifestPhotographs
from data_modules.datasets.manifest import Manifest, ManifestError, Photograph
from data_modules.datasets.photographs import Split
from data_modules.files.errors import PictureError
from data_modules.files.writing import write_photograph

IMAGE = torch.zeros(3, 40, 40, dtype=torch.uint8)


SPLITS: tuple[Split, ...] = ("train", "val")


def manifest(folder: Path, text: str, *files: str) -> Path:
    for file in files:
        write_photograph(IMAGE, folder / file)
    (folder / "index.csv").write_text(text)
    return folder / "index.csv"


def test_reads_columns_and_leaves_out_what_is_not_there(tmp_path: Path) -> None:
    path = manifest(
        tmp_path,
        "set,image,vessel_mask,quality,split,more\nhrf,a.png,v.png,good,train,1\n,b.png,,,,2\n",
        "a.png", "b.png", "v.png",
    )  # fmt: skip
    first, second = Manifest.from_csv(path)
    assert (first.set, first.quality, first.split) == ("hrf", "good", "train")
    assert first.vessel_mask == tmp_path / "v.png"
    assert (second.set, second.quality, second.vessel_mask) == ("", "unknown", None)


def test_columns_of_earlier_versions_are_ignored(tmp_path: Path) -> None:
    text = "image,pair_id,licence,width,set\na.png,p1,CC-BY-4.0,40,hrf\n"
    (photograph,) = Manifest.from_csv(manifest(tmp_path, text, "a.png"))
    assert photograph == Photograph(tmp_path / "a.png", "a.png", set="hrf")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"index\.csv: the column 'image' is missing.*picture"):
        Manifest.from_csv(manifest(tmp_path, "picture\na.png\n"))


def test_every_missing_file_is_named(tmp_path: Path) -> None:
    path = manifest(tmp_path, "image,fov_mask\na.png,f.png\nb.png,\nc.png,\n", "b.png")
    with pytest.raises(ManifestError, match=r"3 file.*a\.png.*f\.png.*c\.png"):
        Manifest.from_csv(path)


def test_of_many_missing_files_the_first_are_named(tmp_path: Path) -> None:
    path = manifest(tmp_path, "image\n" + "".join(f"eye_{index}.png\n" for index in range(30)))
    with pytest.raises(ManifestError, match=r"30 file.*eye_0\.png.*eye_9\.png; and 20 more$"):
        Manifest.from_csv(path)


def test_a_selection_by_a_column_that_is_not_there_says_so(tmp_path: Path) -> None:
    photographs = Manifest.from_csv(manifest(tmp_path, "image,set\na.png,hrf\n", "a.png"))
    for asked in ({"qualities": ["good"]}, {"qualities": ["good"], "sets": ["hrf"]}):
        with pytest.raises(ManifestError, match="its column 'quality' is missing or empty"):
            photographs.select(**asked)
    with pytest.raises(ManifestError, match=r"set in \['idrid'\]$"):
        photographs.select(sets=["idrid"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("image,quality\na.png,splendid\n", "line 2 has quality 'splendid'"),
        ("image,quality\n\n\na.png,splendid\n", "line 4 has quality 'splendid'"),
        ("image,set\n,hrf\n", "line 2 has no value in the column 'image'"),
        ("image\na.png\na.png\n", "line 3 repeats a.png"),
        ("", "columns: none"),
        ("image,Patient\na.png,Ada\n", "the column 'Patient' must be 'patient'"),
        ("PK\x03\x04\0\0image", "not a CSV file: its first line is no text"),
    ],
)
def test_bad_lines_are_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(ManifestError, match=reason):
        Manifest.from_csv(manifest(tmp_path, text, "a.png"))


def test_a_name_that_is_not_utf_8_keeps_its_bytes(tmp_path: Path) -> None:
    name = os.fsdecode(b"eye\xff.png")
    path = manifest(tmp_path, "")
    path.write_bytes(b"image\neye\xff.png\n")
    try:
        write_photograph(IMAGE, tmp_path / name)
    except PictureError:
        pytest.skip("this file system has names in UTF-8 only")
    assert [photograph.name for photograph in Manifest.from_csv(path)] == [name]


def test_folders_are_listed_in_order_with_sub_folders(tmp_path: Path) -> None:
    for name in ("b.png", "sub/a.jpg", "a.JPG", ".hidden/c.png"):
        write_photograph(IMAGE, tmp_path / name)
    (tmp_path / "notes.txt").touch()
    assert [p.name for p in Manifest.from_folder(tmp_path)] == ["a.JPG", "b.png", "sub/a.jpg"]


def test_a_folder_without_pictures_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match="no pictures"):
        Manifest.from_folder(tmp_path)
    with pytest.raises(ManifestError, match="no such folder"):
        Manifest.from_folder(tmp_path / "nowhere")
    with pytest.raises(ManifestError, match="no such CSV file"):
        Manifest.from_csv(tmp_path / "nowhere.csv")


def test_every_unreadable_picture_is_named(tmp_path: Path) -> None:
    path = manifest(tmp_path, "image\na.png\nb.jpg\nc.png\n", "a.png")
    (tmp_path / "b.jpg").write_text("no picture")
    Image.new("RGB", (1, 1)).save(tmp_path / "c.png")
    with pytest.raises(
        ManifestError,
        match=r"2 picture.*b\.jpg: cannot be.*c\.png: is 1x1 px; .*at least 32x32",
    ):
        Manifest.from_csv(path).require_readable()


def test_a_photograph_without_a_field_is_named_and_its_mask_asked_for(tmp_path: Path) -> None:
    """It would be learnt from, and scored, with its black frame for a retina."""
    path = manifest(tmp_path, "image,split\na.png,train\n", "a.png")
    with pytest.raises(PictureError, match=r"a\.png: no field of view can be seen.*fov_mask"):
        ManifestPhotographs(str(path)).dataset("train", 32).load(0)
    path.write_text("image,split,fov_mask\na.png,train,f.png\n")
    write_photograph(torch.full_like(IMAGE, 255), tmp_path / "f.png")
    assert bool(ManifestPhotographs(str(path)).dataset("train", 32).load(0)["mask_fov"].all())


def test_without_splits_some_are_held_out_by_name(tmp_path: Path) -> None:
    names = [f"eye_{i}.png" for i in range(30)]
    source = ManifestPhotographs(str(manifest(tmp_path, "image\n" + "\n".join(names), *names)))
    parts = [{p.name for p in source.dataset(s, 32).photographs} for s in SPLITS]
    assert parts[0] | parts[1] == set(names)
    assert not parts[0] & parts[1]
    held_out = (4, 5, 16, 17, 20, 21, 28, 29)  # for good: a scored one must never be trained on
    assert parts[1] == {f"eye_{i}.png" for i in held_out}


def test_both_eyes_of_a_patient_are_held_out_together(tmp_path: Path) -> None:
    names = [f"eye_{i}.png" for i in range(30)]
    rows = [f"{name},Ada {index // 2}" for index, name in enumerate(names)]
    source = ManifestPhotographs(
        str(manifest(tmp_path, "image,patient\n" + "\n".join(rows), *names))
    )
    train, val = ({p.patient for p in source.dataset(s, 32).photographs} for s in SPLITS)
    assert train | val == {f"Ada {i}" for i in range(15)}
    assert not train & val
    few = manifest(tmp_path, "image,patient\neye_0.png,Ada\neye_1.png,Ada\n")
    with pytest.raises(ManifestError, match="one patient is too few to hold some out"):
        ManifestPhotographs(str(few)).dataset("train", 32)


def test_spaces_around_names_and_texts_count_for_nothing(tmp_path: Path) -> None:
    text = "image, patient , split,quality, dr_grade\na.png, Ada, train , good,2 \n"
    (photograph,) = Manifest.from_csv(manifest(tmp_path, text, "a.png"))
    assert (photograph.patient, photograph.split) == ("Ada", "train")
    assert (photograph.quality, photograph.dr_grade) == ("good", 2)


def test_larger_versions_change_neither_split_nor_patient(tmp_path: Path) -> None:
    rows = [f"eye_{i}.png,p{i},{'val' if i < 3 else 'train'},good" for i in range(8)]
    names = [f"eye_{i}.png" for i in range(8)]
    path = manifest(tmp_path, "\n".join(["image,patient,split,quality", *rows]), *names)
    (tmp_path / "large").mkdir()
    large = manifest(tmp_path / "large", "\n".join(["image", *names[:5]]), *names)
    source = ManifestPhotographs(str(path), larger=str(large), qualities=["good"])
    held_out = source.dataset("val", 32).photographs
    assert [(p.name, p.patient) for p in held_out] == [(f"eye_{i}.png", f"p{i}") for i in range(3)]
    assert {p.image.parent.name for p in held_out} == {"large"}
    assert len(source.dataset("train", 32)) == 5


def test_larger_versions_that_do_not_fit_are_told(tmp_path: Path) -> None:
    text = "image,split,vessel_mask\na.png,train,m.png\nb.png,val,m.png\n"
    path = manifest(tmp_path, text, "a.png", "b.png", "m.png")
    (tmp_path / "large").mkdir()
    other = manifest(tmp_path / "large", "image\na.jpg\n", "a.jpg")
    with pytest.warns(UserWarning, match="has none of the photographs of .*: all keep their size"):
        ManifestPhotographs(str(path), larger=str(other)).dataset("train", 32)
    bare = manifest(tmp_path / "large", "image\na.png\n", "a.png")
    with pytest.warns(UserWarning, match="1 of its photographs lack a mask that they have in"):
        ManifestPhotographs(str(path), larger=str(bare)).dataset("train", 32)


def test_a_patient_on_both_sides_is_told(tmp_path: Path) -> None:
    text = "image,split,patient\na.png,train,Ada\nb.png,val,Ada\nc.png,val,Bob\n"
    path = manifest(tmp_path, text, "a.png", "b.png", "c.png")
    with pytest.warns(UserWarning, match=r"1 patient\(s\), first 'Ada', have photographs in"):
        ManifestPhotographs(str(path)).dataset("val", 32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        apart = manifest(tmp_path, text.replace("b.png,val,Ada", "b.png,val,Bea"))
        ManifestPhotographs(str(apart)).dataset("val", 32)


def test_photographs_in_no_part_are_told(tmp_path: Path) -> None:
    path = manifest(tmp_path, "image,split\na.png,train\nb.png,\n", "a.png", "b.png")
    with pytest.warns(UserWarning, match="1 of 2 photographs have no split"):
        assert len(ManifestPhotographs(str(path)).dataset("train", 32)) == 1


@pytest.mark.parametrize("share", [20, -0.1, float("nan")])
def test_a_share_in_percent_is_refused(share: float) -> None:
    for source in (ManifestPhotographs, FolderPhotographs):
        with pytest.raises(ValueError, match="val_share must lie"):
            source("anywhere", val_share=share)


def test_select_says_what_it_looked_for(tmp_path: Path) -> None:
    path = manifest(tmp_path, "image,set\na.png,hrf\nb.png,idrid\n", "a.png", "b.png")
    assert [p.name for p in Manifest.from_csv(path).select(sets=["idrid"])] == ["b.png"]
    with pytest.raises(ManifestError, match=r"no photograph with set in \['drive'\]"):
        Manifest.from_csv(path).select(sets=["drive"])


@pytest.mark.data
def test_the_shared_photographs_are_all_there(photographs: Path) -> None:
    assert len(Manifest.from_csv(photographs / "index.csv")) == 685
