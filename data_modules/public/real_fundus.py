"""Real Fundus: pairs of a poor and a better photograph of one eye."""

from __future__ import annotations

from pathlib import Path

from data_modules.datasets.manifest import Quality
from data_modules.public.entry import Entry
from data_modules.public.public_set import Listing, PublicSet, by_stem, find_root, pictures

QUALITIES: dict[str, Quality] = {"input": "usable", "gt": "good"}
"""Quality by folder (the words are ours: the set says low and high)."""


def find(folder: Path) -> Listing:
    """List both photographs of each pair."""
    root = find_root(folder, "gt", "input")
    files = {place: by_stem(pictures(root / place)) for place in QUALITIES}
    listing = Listing([], [], [])
    for name in sorted(set(files["gt"]) | set(files["input"])):
        for place, quality in QUALITIES.items():
            if name not in files[place]:
                listing.missing.append(f"{place}/{name}")
                continue
            image = files[place][name]
            listing.entries.append(
                Entry(
                    image,
                    f"{place}/{image.name}",
                    part=place,
                    patient=f"pair {name}",
                    quality=quality,
                    pair=name,
                )
            )
    return listing


REAL_FUNDUS = PublicSet(
    name="real_fundus",
    title="Real Fundus",
    contents="pairs of one eye (pairs.csv)",
    licence="none stated",
    source="https://github.com/dengzhuo-AI/Real-Fundus (release v.1.0.0, Real_Fundus.zip)",
    citation="Deng et al., RFormer: Transformer-based Generative Adversarial Network for Real "
    "Fundus Image Restoration on a New Clinical Benchmark, IEEE JBHI 2022",
    layout="gt/ and input/ with photographs of equal names",
    published={"input": 120, "gt": 120},
    find=find,
    val_share=0.1,
    test_share=0.25,
    notes="Dealt out 81 / 9 / 30 pairs, as many as the authors, who draw them at random without a "
    "seed. How exactly the pairs are aligned was not checked. Patients are not published: each "
    "pair counts as one.",
)
