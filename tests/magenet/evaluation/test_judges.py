import pytest
import torch
from torch import Tensor, nn

from data_modules.datasets.phantom import Phantom, draw_phantom
from magenet.errors import UserError
from magenet.evaluation import (
    DiscJudge,
    FidelityJudge,
    FullReference,
    LesionJudge,
    PairJudge,
    QualityJudge,
    RetinopathyJudge,
    VesselJudge,
)
from magenet.evaluation.judge import Batch
from magenet.evaluation.pairs import matched


class Darkness(nn.Module):
    """A segmenter by eye: what is darker in green than its surround is a vessel."""

    def forward(self, image: Tensor) -> Tensor:
        green = image[:, 1:2]
        return 200.0 * (nn.functional.avg_pool2d(green, 15, 1, 7) - green - 0.02)


class Fixed(nn.Module):
    """A grader that says what it was told to."""

    def __init__(self, grades: list[int]) -> None:
        super().__init__()
        self.logits = torch.eye(3)[grades]

    def forward(self, image: Tensor) -> Tensor:
        return self.logits


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return draw_phantom(3, 160)


@pytest.fixture
def batch(phantom: Phantom) -> Batch:
    image = phantom.image[None].float() / 255
    mask = phantom.field.mask[None].float()
    return {"image": image * mask, "image_clean": image * mask, "mask_fov": mask}


def only(scores: dict[str, Tensor], name: str) -> float:
    return float(scores[name][0])


def test_full_reference_tells_field_from_frame(batch: Batch) -> None:
    wrong = (batch["image_clean"] + 0.1) * batch["mask_fov"]
    scores = FullReference()(wrong, batch)
    share = batch["mask_fov"].mean()
    gained = only(scores, "psnr_frame") - only(scores, "psnr")
    assert gained == pytest.approx(float(-10 * share.log10()), abs=0.1), "black corners are free"
    assert "ms_ssim" not in scores, "the field is smaller than its window"
    assert only(FullReference()(batch["image_clean"], batch), "psnr") == 60.0
    assert FullReference()(wrong, {"mask_fov": batch["mask_fov"]}) == {}


def test_an_unknown_label_is_no_zero(batch: Batch) -> None:
    two = {k: torch.cat([v, v]) for k, v in batch.items()}
    known = torch.tensor([True, False])
    vessels = (Darkness()(two["image"]) > 0).float()
    two |= {"mask_vessel": vessels, "vessel_known": known}
    two |= {"mask_disc": vessels, "disc_known": known}
    two |= {"mask_lesions": vessels.expand(-1, 4, -1, -1).clone(), "lesions_known": known}
    two["mask_lesions"][:, 1:] = 0.0
    for judge in (VesselJudge(Darkness()), DiscJudge(Darkness()), LesionJudge()):
        judge.start_batch(two)
        scores = judge(two["image"], two)
        assert scores, type(judge)
        for name, value in scores.items():
            assert value[1].isnan(), name
    assert only(VesselJudge(Darkness())(two["image"], two), "vessel_dice") == 1.0
    disc = DiscJudge(Darkness())
    disc.start_batch(two)
    assert only(disc(two["image"], two), "disc_shift") == 0.0
    lesions = LesionJudge()(two["image"], two)
    assert only(lesions, "microaneurysm_detectability") > 0.8
    assert lesions["haemorrhage_contrast"].isnan().all(), "there is none of that kind"
    assert VesselJudge(Darkness())(two["image"], batch) == {}, "no labels at all"


def test_pairs_forgive_two_pixels_and_another_lamp(batch: Batch) -> None:
    high = batch["image"]
    pair = {**batch, "image_high": high, "mask_valid": batch["mask_fov"]}
    judge = PairJudge(Darkness())
    same = judge(high, pair)
    assert only(same, "pair_vessel_dice") == pytest.approx(1.0)
    assert only(same, "pair_colour") == 0.0

    moved = judge(torch.roll(high, (2, -1), (2, 3)), pair)
    assert only(moved, "pair_vessel_dice") > 0.99
    assert only(moved, "pair_psnr") > 45
    far = judge(torch.roll(high, (9, 9), (2, 3)), pair)
    assert only(far, "pair_vessel_dice") < 0.5

    dimmed = judge(high * torch.tensor([0.7, 0.8, 0.9])[:, None, None], pair)
    assert only(dimmed, "pair_psnr") > 45, "another lamp, another colour"
    assert only(dimmed, "pair_colour") > 3

    blurred = judge(nn.functional.avg_pool2d(high, 9, 1, 4) * batch["mask_fov"], pair)
    for name in ("pair_vessel_dice", "pair_psnr", "pair_ssim"):
        assert only(blurred, name) < only(moved, name), name

    half = batch["mask_fov"].clone()
    half[..., :80] = 0.0
    spoiled = high.clone()
    spoiled[..., :70] = 0.5
    pair["mask_valid"] = half
    assert only(judge(spoiled, pair), "pair_vessel_dice") > 0.9, "outside the valid part"


def test_matching_is_the_least_squares_fit(batch: Batch) -> None:
    image, mask = batch["image"], batch["mask_fov"]
    like = (0.6 * image + 0.05) * mask
    assert torch.allclose(matched(image, like, mask) * mask, like, atol=1e-4)


def test_fidelity_abstains_where_vessels_vanish(batch: Batch) -> None:
    judge, mask = FidelityJudge(Darkness()), batch["mask_fov"]
    same = judge(batch["image"], batch)
    assert only(same, "verdict") == only(same, "vessel_lost") == only(same, "colour_change") == 0
    flat = nn.functional.avg_pool2d(batch["image"], 31, 1, 15) * mask
    gone = judge(flat, batch)
    assert only(gone, "vessel_lost") > 0.8
    assert only(gone, "abstain") == 1.0
    darker = judge(batch["image"] * 0.5, batch)
    assert only(darker, "brightness_change") < -5
    assert only(darker, "contrast_gain") == pytest.approx(0.5, abs=0.02)
    assert only(same, "detail_gain") == 1.0 > only(gone, "detail_gain")
    blank = {**batch, "image": batch["mask_fov"].expand(-1, 3, -1, -1) * 0.5}
    assert judge(blank["image"], blank)["vessel_lost"].isnan().all()
    assert only(judge(blank["image"], blank), "verdict") == 1.0, "nothing seen is nothing known"


def test_what_moves_the_disc_is_told_from_what_the_segmenter_misses(batch: Batch) -> None:
    """In the input the segmenter finds it beside the truth; the enhancement leaves it there."""
    left = torch.zeros_like(batch["mask_fov"])
    left[..., :80] = 1.0
    truth = (Darkness()(batch["image"]) > 0) * left
    beside = {**batch, "mask_disc": truth, "disc_known": torch.tensor([True])}
    judge = DiscJudge(Darkness())
    judge.start_batch(beside)
    scores = judge(batch["image"], beside)
    assert only(scores, "disc_shift") > 0.05
    assert only(scores, "disc_moved") == 0.0
    moved = judge(batch["image"] * left, beside)
    assert only(moved, "disc_moved") > 0.05


def test_the_disc_judge_uses_the_batch_that_was_started(batch: Batch) -> None:
    labelled = {**batch, "mask_disc": batch["mask_fov"], "disc_known": torch.tensor([True])}
    judge = DiscJudge(Darkness())
    with pytest.raises(RuntimeError, match="start_batch"):
        judge(batch["image"], labelled)
    judge.start_batch(labelled)
    assert only(judge(batch["image"], labelled), "disc_moved") == 0.0
    flipped = {**labelled, "image": batch["image"].flip(3)}
    judge.start_batch(flipped)
    assert only(judge(flipped["image"], flipped), "disc_moved") == 0.0
    assert only(judge(batch["image"], flipped), "disc_moved") > 0.05
    judge.start_batch(batch)
    assert judge(batch["image"], batch) == {}, "no label of the disc"


def test_a_flattened_lesion_is_not_preserved(batch: Batch) -> None:
    own = (Darkness()(batch["image"]) > 0).float() * batch["mask_fov"]
    lesions = torch.cat([own, torch.zeros(1, 3, *own.shape[2:])], dim=1)
    labelled = {**batch, "mask_lesions": lesions, "lesions_known": torch.tensor([True])}
    same = LesionJudge()(batch["image"], labelled)
    assert only(same, "microaneurysm_preserved") == 1.0
    flat = torch.where(own > 0, 0.9 * batch["image"] + 0.1, batch["image"])
    assert only(LesionJudge()(flat, labelled), "microaneurysm_preserved") < 0.5


def test_quality_means_are_fiqa_and_wfqa() -> None:
    image = torch.rand(4, 3, 32, 32)
    scores = QualityJudge(Fixed([0, 0, 1, 2]))(image, {})
    assert float(scores["fiqa"].mean()) == 0.5
    assert float(scores["wfqa"].mean()) == (2 * 2 + 1) / 4


def test_retinopathy_counts_grades_and_leaves_out_the_unknown() -> None:
    class Three(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return torch.eye(5)[[3] * len(image)]

    truth = torch.tensor([3, 1, -1])
    scores = RetinopathyJudge(Three())(torch.rand(3, 3, 32, 32), {"dr_grade": truth})
    assert scores["dr_correct"][:2].tolist() == [1.0, 0.0]
    assert scores["dr_error"][:2].tolist() == [0.0, 2.0]
    assert scores["dr_error"][2].isnan()


def test_a_judge_without_weights_says_what_to_do() -> None:
    with pytest.raises(UserError, match=r"nowhere\.ckpt: no such checkpoint.*make judges"):
        VesselJudge(Darkness(), "nowhere.ckpt").load()


def test_a_judge_stays_as_it_was_trained() -> None:
    judge = VesselJudge(nn.Sequential(nn.Conv2d(3, 1, 3), nn.Dropout(0.5))).train()
    assert not judge.network.training
    assert not any(p.requires_grad for p in judge.parameters())
