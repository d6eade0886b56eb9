import torch

from data_modules.batch import Batch
from magenet.evaluation.judged_size import judged_batch
from magenet.imaging.crop import at_side


def test_pictures_are_averaged_and_never_copied_at_their_own_side() -> None:
    image = torch.rand(1, 3, 64, 64)
    assert at_side(image, 64) is image
    small = at_side(image, 16)
    assert small.shape == (1, 3, 16, 16)
    assert float(small.std()) < 0.5 * float(image.std())


def test_masks_stay_masks_and_no_lesion_is_lost() -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :40] = 1.0
    lesions = torch.zeros(1, 4, 64, 64)
    lesions[:, 0, 10, 10] = 1.0
    batch = Batch(
        image=torch.ones(1, 3, 64, 64), mask_fov=mask, mask_lesions=lesions,
        mask_vessel=torch.rand(1, 1, 64, 64), name=["a"], vessel_known=torch.tensor([True]),
    )  # fmt: skip
    judged = judged_batch(batch, 16)
    assert judged["mask_fov"].unique().tolist() == [0.0, 1.0]
    assert float(judged["mask_lesions"][:, 0].sum()) >= 1.0
    assert float(judged["mask_lesions"][:, 1:].sum()) == 0.0
    assert judged["name"] == ["a"]
    assert bool(judged["vessel_known"])
    assert torch.equal(judged["image"] > 0, judged["mask_fov"].expand(-1, 3, -1, -1) > 0)
    assert batch["image"].shape[-1] == 64
