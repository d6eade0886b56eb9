"""Tiny trees with the real file names of the public sets, and what preparing them must find."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from data_modules.datasets.phantom import Phantom, draw_phantom

SIDE = 64


class Found(NamedTuple):
    """What the manifest must say of a photograph."""

    split: str
    quality: str = "unknown"
    patient: str | None = None
    masks: frozenset[str] = frozenset()
    dr_grade: str = ""


Expected = dict[str, Found]
Tree = Callable[[Path], Expected]


def masks(*kinds: str) -> frozenset[str]:
    """Return columns of the manifest by the first word of their names."""
    return frozenset(f"{kind}_mask" if kind != "lesion" else "lesion_bitmask" for kind in kinds)


@cache
def eye(seed: int) -> Phantom:
    return draw_phantom(seed, SIDE)


def save(picture: Image.Image, path: Path) -> None:
    """Save in the format of the name's ending; `.gz` packs it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".gz":
        packed = io.BytesIO()
        picture.save(packed, format=path.with_suffix("").suffix[1:])
        path.write_bytes(gzip.compress(packed.getvalue()))
    else:
        picture.save(path)


def photograph(seed: int, *paths: Path) -> None:
    picture = Image.fromarray(eye(seed).image.permute(1, 2, 0).numpy())
    for path in paths:
        save(picture, path)


def mask_of(seed: int, kind: str) -> np.ndarray:
    phantom = eye(seed)
    mask = {"vessel": phantom.vessels, "fov": phantom.field.mask, "disc": phantom.disc}[kind]
    return mask[0].numpy()


def white(seed: int, kind: str, path: Path) -> None:
    save(Image.fromarray((mask_of(seed, kind) * 255).astype(np.uint8)), path)


def table(path: Path, lines: Iterable[Iterable[str]], delimiter: str = ",") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(lines)


def sheets(path: Path, content: dict[str, list[list[object]]]) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.remove(book.active)
    for title, lines in content.items():
        sheet = book.create_sheet(title)
        for line in lines:
            sheet.append(line)
    path.parent.mkdir(parents=True, exist_ok=True)
    book.save(path)


def eyeq(folder: Path) -> Expected:
    labels = {
        "train": [("10_left", 0, 0), ("10_right", 1, 2), ("13_left", 2, 4), ("15_left", 0, 1)],
        "test": [("1_left", 0, 3), ("2_right", 1, 0)],
    }
    seed = 0
    for split, rows in labels.items():
        header = ("", "image", "quality", "DR_grade")
        lines = [(str(i), f"{n}.jpeg", str(q), str(g)) for i, (n, q, g) in enumerate(rows)]
        table(folder / f"data/Label_EyeQ_{split}.csv", [header, *lines])
        for name, _, _ in rows:
            photograph(seed, folder / f"data/eyepacs/{split}/{name}.jpeg")
            seed += 1
    photograph(9, folder / "data/eyepacs/train/99_left.jpeg")  # not in EyeQ
    return {
        "train/10_left.jpeg": Found("train", "good", "10", dr_grade="0"),
        "train/10_right.jpeg": Found("train", "usable", "10", dr_grade="2"),
        "train/13_left.jpeg": Found("train", "reject", "13", dr_grade="4"),
        "train/15_left.jpeg": Found("train", "good", "15", dr_grade="1"),
        "test/1_left.jpeg": Found("test", "good", "1", dr_grade="3"),
        "test/2_right.jpeg": Found("test", "usable", "2", dr_grade="0"),
    }


def drive(folder: Path) -> Expected:
    root = folder / "DRIVE"
    for seed, number in enumerate(("21", "22")):
        photograph(seed, root / f"training/images/{number}_training.tif")
        white(seed, "vessel", root / f"training/1st_manual/{number}_manual1.gif")
        white(seed, "fov", root / f"training/mask/{number}_training_mask.gif")
    photograph(2, root / "test/images/01_test.tif")
    white(2, "fov", root / "test/mask/01_test_mask.gif")  # and no vessels: the present distribution
    both = masks("vessel", "fov")
    return {
        "training/21_training.tif": Found("train", masks=both),
        "training/22_training.tif": Found("train", masks=both),
        "test/01_test.tif": Found("test", masks=masks("fov")),
    }


def stare(folder: Path) -> Expected:
    names = ("im0001", "im0077", "im0324")
    for seed, name in enumerate(names):
        ending = ".gz" if seed else ""
        photograph(seed, folder / f"stare-images/{name}.ppm{ending}")
        white(seed, "vessel", folder / f"labels-ah/{name}.ah.ppm{ending}")
    photograph(5, folder / "stare-images/im0400.ppm")  # without vessels: not of the vessel set
    return {f"{name}.ppm.png": Found("", masks=masks("vessel")) for name in names}


def chase_db1(folder: Path) -> Expected:
    names = {"01L": 0, "01R": 1, "02L": 2, "11L": 3}
    for name, seed in names.items():
        photograph(seed, folder / f"Image_{name}.jpg")
        for observer in ("1stHO", "2ndHO"):
            white(seed, "vessel", folder / f"Image_{name}_{observer}.png")
    return {
        f"Image_{name}.jpg": Found(
            "test" if name == "11L" else "train", patient=f"child {name[:2]}",
            masks=masks("vessel"),
        )
        for name in names
    }  # fmt: skip


def hrf(folder: Path) -> Expected:
    names = {"01_dr": 0, "02_h": 1, "06_g": 2}
    for name, seed in names.items():
        photograph(seed, folder / f"images/{name}.jpg")
        (folder / f"images/{name}.jpg").rename(folder / f"images/{name}.JPG")
        white(seed, "vessel", folder / f"manual1/{name}.tif")
        white(seed, "fov", folder / f"mask/{name}_mask.tif")
    return {
        f"{name}.JPG": Found("test" if name == "06_g" else "train", masks=masks("vessel", "fov"))
        for name in names
    }


def idrid(folder: Path) -> Expected:
    """The photograph IDRiD_01 trains in one part and tests in the other."""
    sets = {"train": "a. Training Set", "test": "b. Testing Set"}
    segmentation = folder / "A. Segmentation/A. Segmentation"
    truth = "2. All Segmentation Groundtruths"
    for seed, (split, name) in enumerate((("train", "01"), ("train", "02"), ("test", "55"))):
        place = sets[split]
        photograph(seed, segmentation / f"1. Original Images/{place}/IDRiD_{name}.jpg")
        white(seed, "disc", segmentation / f"{truth}/{place}/5. Optic Disc/IDRiD_{name}_OD.tif")
        hard = f"{truth}/{place}/3. Hard Exudates/IDRiD_{name}_EX.tif"
        white(seed, "vessel", segmentation / hard)
    grading = folder / "B. Disease Grading/B. Disease Grading"
    for split, names in {"train": ("001", "002"), "test": ("001",)}.items():
        letter, word = {"train": ("a", "Training"), "test": ("b", "Testing")}[split]
        file = f"2. Groundtruths/{letter}. IDRiD_Disease Grading_{word} Labels.csv"
        rows = [("Image name", "Retinopathy grade", "Risk of macular edema ", "")]
        for index, name in enumerate(names):
            rows.append((f"IDRiD_{name}", str(index + 1), "0", ""))
            seed = 4 + index if split == "train" else 0  # the test's is the segmentation's 01
            photograph(seed, grading / f"1. Original Images/{sets[split]}/IDRiD_{name}.jpg")
        table(grading / file, [*rows, ("", "", "", "")])
    both = masks("lesion", "disc")
    return {
        "segmentation/train/IDRiD_01.jpg": Found("left_out", masks=both),
        "segmentation/train/IDRiD_02.jpg": Found("train", masks=both),
        "segmentation/test/IDRiD_55.jpg": Found("test", masks=both),
        "grading/train/IDRiD_001.jpg": Found("train", dr_grade="1"),
        "grading/train/IDRiD_002.jpg": Found("train", dr_grade="2"),
        "grading/test/IDRiD_001.jpg": Found("test", dr_grade="1"),
    }


def refuge(folder: Path) -> Expected:
    truth = "Annotation-Training400/Disc_Cup_Masks"
    files = {
        "g0001": ("Training400/Glaucoma", f"{truth}/Glaucoma", "train"),
        "n0001": ("Training400/Non-Glaucoma", f"{truth}/Non-Glaucoma", "train"),
        "V0001": ("REFUGE-Validation400", "REFUGE-Validation400-GT/Disc_Cup_Masks", "val"),
        "T0001": ("Test400", "REFUGE-Test-GT/Disc_Cup_Masks/G", "test"),
    }
    for seed, (name, (place, truth, _)) in enumerate(files.items()):
        photograph(seed, folder / place / f"{name}.jpg")
        levels = np.full((SIDE, SIDE), 255, np.uint8)
        levels[mask_of(seed, "disc")] = 128
        levels[mask_of(seed, "disc") & mask_of(seed, "vessel")] = 0
        save(Image.fromarray(levels), folder / truth / f"{name}.bmp")
    photograph(7, folder / "readme/figure.jpg")
    return {
        f"{split}/{name}.jpg": Found(split, masks=masks("disc", "cup"))
        for name, (_, _, split) in files.items()
    }


def hygd(folder: Path) -> Expected:
    rows = {"0_0": ("0", "7.1"), "0_1": ("0", "5.0"), "1_0": ("1", "3.2"), "2_0": ("2", "6.5")}
    table(
        folder / "Labels.csv",
        [
            ("Image Name", "Patient", "Label", "Quality Score", ""),
            *(
                (f"{name}.jpg", patient, "GON+", score, "")
                for name, (patient, score) in rows.items()
            ),
        ],
    )
    for seed, name in enumerate(rows):
        photograph(seed, folder / f"Images/{name}.jpg")
    qualities = ("good", "usable", "reject", "good")
    return {
        f"{name}.jpg": Found("", quality, patient)
        for (name, (patient, _)), quality in zip(rows.items(), qualities, strict=True)
    }


def real_fundus(folder: Path) -> Expected:
    for seed, name in enumerate(("1", "2", "3")):
        photograph(seed, folder / f"Real_Fundus/gt/{name}.png")
        photograph(seed + 4, folder / f"Real_Fundus/input/{name}.png")
    return {
        f"{place}/{name}.png": Found("", quality, f"pair {name}")
        for name in ("1", "2", "3")
        for place, quality in (("input", "usable"), ("gt", "good"))
    }


def fives(folder: Path) -> Expected:
    root = folder / "FIVES A Fundus Image Dataset"
    names = {("train", "1_A"): 0, ("train", "2_N"): 1, ("test", "1_A"): 2}
    for (split, name), seed in names.items():
        photograph(seed, root / split / f"Original/{name}.png")
        white(seed, "vessel", root / split / f"Ground truth/{name}.png")
    (root / "train/Original/Thumbs.db").write_bytes(b"not a picture")
    header: list[object] = ["Disease", "Number", "IC", "Blur", "LC"]
    content = {"Train": [header, ["A", 1, 1, 1, 1], ["N", 2, 1, 0, 1]]}
    sheets(root / "Quality Assessment.xlsx", content | {"Test": [header, ["A", 1, 0, 0, 0]]})
    qualities = ("good", "usable", "reject")
    return {
        f"{split}/{name}.png": Found(split, quality, masks=masks("vessel"))
        for (split, name), quality in zip(names, qualities, strict=True)
    }


def deepdrid(folder: Path) -> Expected:
    root = folder / "DeepDRiD-1.1/regular_fundus_images"
    header = (
        "patient_id", "image_id", "image_path", "Overall quality", "left_eye_DR_Level",
        "right_eye_DR_Level", "patient_DR_Level", "Clarity", "Field definition", "Artifact",
    )  # fmt: skip
    rows = {
        "training": [("1", "1_l1", "1", "0.0", ""), ("1", "1_r1", "0", "", "2.0")],
        "validation": [("265", "265_l1", "1", "3", "")],
    }
    seed = 0
    for part, lines in rows.items():
        place = root / f"regular-fundus-{part}"
        cells = [
            (
                patient,
                image,
                rf"\{part}\{patient}\{image}.jpg",
                quality,
                left,
                right,
                "",
                "",
                "",
                "",
            )
            for patient, image, quality, left, right in lines
        ]
        table(place / f"regular-fundus-{part}.csv", [header, *cells])
        for patient, image, *_ in lines:
            photograph(seed, place / f"Images/{patient}/{image}.jpg")
            seed += 1
    place = root / "Online-Challenge1&2-Evaluation"
    photograph(seed, place / "Images/347/347_l2.jpg")
    sheets(place / "Challenge1_labels.xlsx", {"s": [["image_id", "DR_Levels"], ["347_l2", 4]]})
    sheets(
        place / "Challenge2_labels.xlsx",
        {"s": [["image_id", "Overall quality", "Artifact"], ["347_l2", 0, 8]]},
    )
    return {
        "train/1_l1.jpg": Found("train", "good", "1", dr_grade="0"),
        "train/1_r1.jpg": Found("train", "reject", "1", dr_grade="2"),
        "val/265_l1.jpg": Found("val", "good", "265", dr_grade="3"),
        "test/347_l2.jpg": Found("test", "reject", "347", dr_grade="4"),
    }


def mshf(folder: Path) -> Expected:
    root = folder / "MSHF dataset 2.0"
    files = {("DR-XJU", "DR-XJU-30.jpg"): "train", ("Local1", "local1-2.jpg"): "test",
             ("Healthy", "Healthy-3.jpg"): "train"}  # fmt: skip
    for seed, ((group, name), split) in enumerate(files.items()):
        photograph(seed, root / f"Original/{group}/{name}")
        ending = ".png" if name.startswith("DR") else ".jpg"  # some differ there, as published
        photograph(seed, root / f"AI-use/{split}/{Path(name).stem}{ending}")
    photograph(6, root / "Original/UWF/UWF-1.jpg")

    def votes(name: str, *overall: int) -> list[object]:
        cells: list[object] = [name]
        for vote in overall:
            cells += [1, 1, 0, vote, None]
        return cells

    lines = [["", "annotator1"], ["image name"], votes("DR-XJU-30.jpg", 1, 0, 1)]
    lines += [votes("local1-2.jpg", 0, 0, 1), votes("Healthy-3.jpg", 1, 1, 1)]
    sheets(root / "Individual_scores.xlsx.xlsx", {"Sheet1": lines})
    qualities = ("good", "reject", "good")
    return {
        f"{group}/{name}": Found(split, quality)
        for ((group, name), split), quality in zip(files.items(), qualities, strict=True)
    }


def messidor2(folder: Path) -> Expected:
    eyes = ["20051020_43808_0100_PP.png", "20051020_43832_0100_PP.png", "IM000001.JPG",
            "IM000002.JPG"]  # fmt: skip
    for seed, name in enumerate(eyes):
        photograph(seed, folder / "IMAGES" / name)
    pairs = [("left", "right"), (eyes[0], eyes[1]), (eyes[2], eyes[3])]
    table(folder / "messidor-2.csv", pairs, delimiter=";")
    columns = ("image_id", "adjudicated_dr_grade", "adjudicated_dme", "adjudicated_gradable")
    graded = [(eyes[0], "2", "0", "1"), (eyes[1], "", "", "0"), ("IM000001.jpg", "0", "0", "1")]
    table(folder / "messidor_data.csv", [columns, *graded])
    grades = {eyes[0]: "2", eyes[2]: "0"}
    return {
        name: Found(
            "", "reject" if name == eyes[1] else "unknown",
            f"examination {1 if index < 2 else 2}", dr_grade=grades.get(name, ""),
        )
        for index, name in enumerate(eyes)
    }  # fmt: skip


def papila(folder: Path) -> Expected:
    root = folder / "PapilaDB-PAPILA"
    names = {"RET002OD": 0, "RET002OS": 1, "RET004OD": 2}
    for name, seed in names.items():
        photograph(seed, root / f"FundusImages/{name}.jpg")
        for kind, half in (("disc", 12.5), ("cup", 6.0)):
            corners = [(20 - half, 30 - half), (20 + half, 30 - half), (20 + half, 30 + half),
                       (20 - half, 30 + half)]  # fmt: skip
            path = root / f"ExpertsSegmentations/Contours/{name}_{kind}_exp1.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"   {x:.7e}   {y:.7e}\n" for x, y in corners))
    return {
        f"{name}.jpg": Found("", patient=name[:6], masks=masks("disc", "cup")) for name in names
    }


TREES: dict[str, Tree] = {
    tree.__name__: tree
    for tree in (
        eyeq, drive, stare, chase_db1, hrf, idrid, refuge, hygd, real_fundus, fives, deepdrid, mshf,
        messidor2, papila,
    )
}  # fmt: skip
