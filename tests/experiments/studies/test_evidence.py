"""The measures themselves, on methods whose result is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from data_modules.batch import Batch
from data_modules.datasets.phantom import draw_phantom
from experiments.studies import picture_grid
from experiments.studies.evidence import detail, dust, harm, invention, report, sheet, synthetic
from experiments.studies.evidence.methods import method, methods
from experiments.studies.evidence.report import Row
from magenet.errors import UserError
from magenet.metrics.masks import dilate
from magenet.models import MAGENet


def untouched(image: Tensor, mask: Tensor) -> Tensor:
    return image


def reddened(image: Tensor, mask: Tensor) -> Tensor:
    return torch.cat([image[:, :1], 0.7 * image[:, 1:]], dim=1)


@pytest.fixture(scope="module")
def eye() -> tuple[Tensor, Tensor, Tensor]:
    phantom = draw_phantom(3, 192)
    mask = phantom.field.mask[None].float()
    return phantom.image[None].float() / 255 * mask, mask, phantom.vessels[None].float()


def test_an_octave_comes_back_as_far_as_the_method_restores_it(
    eye: tuple[Tensor, Tensor, Tensor],
) -> None:
    clean, mask, _ = eye
    all_of_it = detail.octave_scores(lambda image, field: clean, clean, mask)
    assert list(all_of_it.values()) == pytest.approx([1.0, 1.0, 1.0], abs=1e-4)
    nothing = detail.octave_scores(untouched, clean, mask)
    assert nothing["octave of 8 to 4 px"] < 0.1 < nothing["octave of 32 to 16 px"] < 0.9


def test_no_method_at_half_the_size_restores_the_finest_octave_whole(
    eye: tuple[Tensor, Tensor, Tensor],
) -> None:
    clean, mask, _ = eye
    perfect = detail.fine_scores(
        lambda image, field: clean if image.shape == clean.shape else image, clean, mask
    )
    whole, untouched_half, limit = perfect.values()
    assert whole == pytest.approx(1.0, abs=1e-4)
    assert untouched_half < limit < 0.9


def test_dust_that_is_removed_or_deepened_is_told() -> None:
    mask = torch.ones(1, 1, 96, 96)
    depth = torch.zeros(1, 1, 96, 96)
    depth[..., 40:44, 50:54] = 0.5
    image = 0.5 * torch.ones(1, 3, 96, 96) * (1 - 0.2 * depth)
    (kept,) = dust.dust_scores(untouched, image, mask, depth).values()
    assert kept == pytest.approx(1.0)
    (gone,) = dust.dust_scores(lambda x, m: torch.full_like(x, 0.5), image, mask, depth).values()
    assert gone == pytest.approx(0.0, abs=1e-5)
    (deeper,) = dust.dust_scores(lambda x, m: x.square(), image, mask, depth).values()
    assert deeper > 1.5
    assert dust.dust_scores(untouched, image, mask, 0 * depth) == {}


def test_bands_are_orthogonal_and_add_up() -> None:
    image = torch.rand(1, 1, 64, 64)
    parts = [detail.band(image, *periods) for periods in ((1e-3, 8), (8, 1e9))]
    whole = parts[0] + parts[1] + image.mean()
    assert torch.allclose(whole, image, atol=1e-5)
    assert float((parts[0] * parts[1]).mean().abs()) < 1e-6


def test_the_rim_of_the_field_is_no_detail(eye: tuple[Tensor, Tensor, Tensor]) -> None:
    _, mask, _ = eye
    mask = torch.nn.functional.interpolate(mask, scale_factor=4)
    inside = ~dilate(mask == 0, 24)
    axis = torch.linspace(0.5, 1.0, mask.shape[-1])
    flat, slope = (0.3 * field.expand(1, 3, *mask.shape[-2:]) for field in (torch.ones(1), axis))
    for image, least in ((flat, 1e-5), (slope, 1e-3)):
        found = detail.field_band(image, mask, 3, 48)[inside]
        assert float(found.square().mean().sqrt()) < least
    waves = flat + 0.01 * torch.sin(axis * 2 * torch.pi * 2 * mask.shape[-1] / 12)
    found = detail.field_band(waves, mask, 3, 48)[inside]
    assert float(found.square().mean().sqrt()) == pytest.approx(0.01 / 2**0.5, rel=0.02)


def test_thin_vessels_are_found_by_a_segmenter_that_knows_them(
    eye: tuple[Tensor, Tensor, Tensor],
) -> None:
    clean, mask, vessels = eye
    perfect = detail.thin_scores(
        untouched, lambda image, field: 4 * (vessels - 0.5), clean, mask, vessels, 1
    )
    assert perfect["thin vessels found"] == perfect["found are vessels"] == 1.0
    blind = detail.thin_scores(untouched, lambda image, field: -2 * mask, clean, mask, vessels, 1)
    assert blind["thin vessels found"] == 0.0


def test_a_clipped_disc_that_turns_red_is_told(eye: tuple[Tensor, Tensor, Tensor]) -> None:
    clean, mask, _ = eye
    disc = torch.zeros_like(mask)
    disc[..., 80:110, 80:110] = 1.0
    kept = invention.burnt_scores(untouched, clean, mask, disc)
    red = invention.burnt_scores(reddened, clean, mask, disc)
    assert len(kept) == 2 * len(invention.EXPOSURES)
    for name, value in kept.items():
        assert value == 0.0
        assert red[name] > 5.0


def test_mottle_where_nothing_is_seen_is_told(eye: tuple[Tensor, Tensor, Tensor]) -> None:
    clean, mask, vessels = eye

    def mottled(image: Tensor, field: Tensor) -> Tensor:
        pattern = torch.sin(torch.arange(192) * 0.8)
        return image + 0.1 * pattern * pattern[:, None]

    calm = invention.blank_scores(untouched, clean, mask, vessels)
    loud = invention.blank_scores(mottled, clean, mask, vessels)
    assert all(loud[name] > 2 * value for name, value in calm.items())
    assert invention.noise_scores(untouched, 192).popitem()[1] == pytest.approx(1.0)
    assert invention.noise_scores(mottled, 192).popitem()[1] > 2.0


def test_good_photographs_and_cameras_are_kept_by_doing_nothing(
    eye: tuple[Tensor, Tensor, Tensor],
) -> None:
    clean, mask, _ = eye
    assert harm.good_scores(untouched, clean, mask)["good photograph, PSNR"] == 60.0
    assert harm.camera_scores(untouched, clean, mask, 1)["random camera, chroma shift"] == 0.0
    assert harm.camera_scores(reddened, clean, mask, 1)["random camera, chroma shift"] > 3.0


def test_lesions_that_lose_contrast_are_told(eye: tuple[Tensor, Tensor, Tensor]) -> None:
    clean, mask, _ = eye
    lesions = torch.zeros(1, 4, 192, 192)
    lesions[:, 2, 90:100, 60:70] = 1.0
    image = (clean + 0.2 * lesions[:, 2:3]).clamp(0, 1)
    batch = Batch(
        image=image, mask_fov=mask, mask_lesions=lesions, lesions_known=torch.tensor([True])
    )
    assert harm.lesion_scores(untouched, batch)["hard_exudate_contrast"] == 0.0
    flattened = harm.lesion_scores(lambda image, field: clean, batch)
    assert flattened["hard_exudate_contrast"] < -0.5


def test_a_method_that_knows_the_clean_photograph_closes_the_gap(
    eye: tuple[Tensor, Tensor, Tensor],
) -> None:
    clean, mask, vessels = eye
    green = clean[:, 1:2]

    def segment(image: Tensor, field: Tensor) -> Tensor:
        """Find vessels where a photograph is as the clean one is there."""
        return (vessels - 0.5) * ((image[:, 1:2] - green).abs() < 0.02)

    batch = Batch(image=clean, mask_fov=mask, mask_vessel=vessels)
    nothing = synthetic.degraded_scores(untouched, segment, batch, 1)
    perfect = synthetic.degraded_scores(lambda image, field: clean, segment, batch, 1)
    assert nothing["clean, vessel Dice"] == perfect["clean, vessel Dice"] == 1.0
    for name in synthetic.DEGRADATIONS:
        assert nothing[f"{name}, PSNR"] < 40 < perfect[f"{name}, PSNR"]
        assert nothing[f"{name}, vessel Dice"] < perfect[f"{name}, vessel Dice"] == 1.0
    unlabelled = Batch(image=clean, mask_fov=mask, mask_vessel=torch.zeros_like(mask))
    names = synthetic.degraded_scores(untouched, segment, unlabelled, 1)
    assert list(names) == [f"{name}, PSNR" for name in synthetic.DEGRADATIONS]


def test_a_network_is_a_method(eye: tuple[Tensor, Tensor, Tensor]) -> None:
    clean, mask, _ = eye
    network = MAGENet(widths=(8, 8, 8, 8), blocks=(1, 1, 1, 1), original_width=8)
    assert torch.equal(method(network)(clean, mask), clean)  # it starts as the identity
    assert list(methods(None, "student", [])) == ["untouched", "CLAHE", "Setiawan"]


def scored(method: str, *values: float, part: str = "harm, hrf") -> list[Row]:
    return [
        Row(part, patient, method, "psnr", value)
        for patient, value in zip(("a", "b", "b", "c", "d"), values, strict=False)
    ]


def test_the_table_has_a_mean_and_an_interval_over_patients() -> None:
    rows = scored("CLAHE", 20.0, 20.0, 40.0, 40.0, 20.0)
    assert report.table(rows)[2] == "| harm, hrf | psnr | 28.000 (20.000 to 35.000) |"
    few = [row for row in rows if row.patient in "ab"]
    assert report.table(few)[2] == "| harm, hrf | psnr | 26.667 |"


def test_a_mean_of_fewer_photographs_says_of_how_many() -> None:
    rows = [*scored("CLAHE", 20.0, 30.0, 40.0), *scored("ours", 21.0, 33.0, 50.0)[1:]]
    (line,) = report.table(rows)[2:]
    assert line.endswith("| 30.000, of 3 | 41.500, of 2 |")


def test_the_gap_is_to_good_photographs_of_other_patients() -> None:
    score = "vessel Dice, network"
    pairs = [("untouched", 0.4), ("untouched", 0.5), ("ours", 0.5), ("ours", 0.6)]
    rows = [Row(report.REAL, "ab"[i % 2], name, score, x) for i, (name, x) in enumerate(pairs)]
    assert report.gaps(rows) == []
    rows += [Row(report.CEILING, patient, "untouched", score, 0.7) for patient in "cd"]
    assert report.gaps(rows)[-1] == f"| {score} | ours | 0.40 (0.33 to 0.50) |"


def test_differences_are_paired_by_photograph() -> None:
    theirs = scored("CLAHE", 20.0, 30.0, float("nan"), 40.0, 40.0)
    rows = [*theirs, *scored("ours", 21.0, 32.0, 50.0, 41.0, 42.0)]
    assert report.differences(rows, "ours")[0] == "| | score | CLAHE |"
    assert "| +1.500 (+1.000 to +2.000), p 0.125 |" in report.differences(rows, "ours")[2]
    few = [row for row in rows if row.patient in "ab"]
    assert "| +1.500, p 0.500 |" in report.differences(few, "ours")[2]
    other = [*scored("CLAHE", 20.0, 30.0, 40.0), *scored("ours", 21.0, 32.0, 50.0)[:2]]
    assert len(report.differences(other, "ours")) == 2, "other photographs: no pairs"


def test_all_are_compared_with_the_network_as_it_is_used_and_not_with_its_fast_option(
    tmp_path: Path,
) -> None:
    rows = [*scored("CLAHE", 20.0, 30.0, 31.0), *scored("ours", 21.0, 32.0, 50.0)]
    report.write(tmp_path, [*rows, *scored(f"ours{report.FAST}", 21.0, 31.0, 49.0)])
    page = (tmp_path / report.PAGE).read_text()
    assert "## Difference of ours from each other method" in page
    assert "| | score | CLAHE | ours, fast |" in page


def test_what_is_measured_again_replaces_what_was(tmp_path: Path) -> None:
    assert report.read_rows(tmp_path) == []
    earlier = [
        *scored("CLAHE", 1.0, 2.0, 3.0),
        *scored("ours", 4.0, 5.0, 6.0),
        *scored("ours", 7.0, 8.0, 9.0, part="pairs, real"),
    ]
    report.write(tmp_path, earlier)
    assert report.read_rows(tmp_path) == earlier
    new = [*scored("ours", 14.0, 15.0, 16.0), *scored("theirs", 0.0, 0.0, float("nan"))]
    rows = report.merged(earlier, new)
    assert [row.method for row in rows] == 3 * ["CLAHE"] + 6 * ["ours"] + 3 * ["theirs"]
    assert {row.value for row in rows if row.method == "ours"} == {14, 15, 16, 7, 8, 9}
    page = (tmp_path / report.PAGE).read_text()
    assert "Difference of ours" in page
    (tmp_path / report.SCORES).write_text("name,psnr\n")
    with pytest.raises(UserError, match="not written by this study"):
        report.read_rows(tmp_path)


def test_a_sheet_shows_each_method_and_the_better_photograph(
    eye: tuple[Tensor, Tensor, Tensor],
) -> None:
    clean, mask, _ = eye
    batch: Batch = {"image": 0.5 * clean, "image_high": clean, "mask_fov": mask}  # type: ignore[typeddict-item]
    drawn = sheet.sheet({"untouched": untouched, "reddened": reddened}, [batch, batch])
    assert drawn.size == (3 * sheet.TILE, picture_grid.HEAD + 4 * sheet.TILE)
    pixels = torch.from_numpy(np.array(drawn)).float()
    body = pixels[picture_grid.HEAD :].view(4, sheet.TILE, 3, sheet.TILE, 3).transpose(1, 2)
    assert torch.equal(body[0], body[2])
    dark, red, better = (body[0, column] for column in range(3))
    assert float((better - 2 * dark).abs().max()) <= 2
    assert torch.equal(red[..., 0], dark[..., 0])
    assert float(red[..., 1].sum()) < 0.75 * float(dark[..., 1].sum())
    centre = slice(round(0.3 * sheet.TILE), round(0.7 * sheet.TILE))
    assert float(body[1, 0].mean()) == pytest.approx(float(dark[centre, centre].mean()), rel=0.02)
