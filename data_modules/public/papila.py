"""PAPILA: optic disc and cup of both eyes."""

from __future__ import annotations

from pathlib import Path

from data_modules.public.entry import Entry, Outline
from data_modules.public.public_set import Listing, PublicSet, find_root, pictures


def find(folder: Path) -> Listing:
    """List the photographs with the outlines of the first expert."""
    root = find_root(folder, "FundusImages", "ExpertsSegmentations/Contours")
    outlines = root / "ExpertsSegmentations/Contours"
    entries = []
    for image in pictures(root / "FundusImages"):
        files = {kind: outlines / f"{image.stem}_{kind}_exp1.txt" for kind in ("disc", "cup")}
        masks = {f"{kind}_mask": Outline(file) for kind, file in files.items() if file.is_file()}
        patient = image.stem.removesuffix("OD").removesuffix("OS")
        entries.append(Entry(image, image.name, patient=patient, masks=masks))
    return Listing(entries, [], [])


PAPILA = PublicSet(
    name="papila",
    title="PAPILA",
    contents="optic disc, optic cup, patient",
    licence="stated differently (GPL 3 at figshare, as quoted; the article is CC BY 4.0): read it "
    "where you obtain it",
    source="https://figshare.com/articles/dataset/PAPILA/14798004",
    citation="Kovalyk et al., PAPILA: Dataset with fundus images and clinical data of both eyes of "
    "the same patient for glaucoma assessment, Scientific Data 9:291, 2022",
    layout="FundusImages/RET002OD.jpg, ExpertsSegmentations/Contours/RET002OD_disc_exp1.txt, ...",
    published={"all": 488},
    find=find,
    val_share=0.2,
    test_share=0.2,
    notes="Outlines of the first of two experts. Dealt out by patient (our choice).",
)
