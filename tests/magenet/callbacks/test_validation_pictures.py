from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.loggers import CSVLogger
from PIL import Image

from data_modules.paired import CONDITIONS
from magenet.callbacks import ValidationPictures
from magenet.callbacks.logged import PictureRow, columns_of, sheet_of
from magenet.callbacks.validation_pictures import pictures
from magenet.models import MAGENet
from magenet.tasks import SupervisedTask
from tests.magenet.models.test_mage_net import TINY
from tests.magenet.tasks.tiny import data, flat, task, trainer


class Kept(ValidationPictures):
    """Keeps the rows of each validation."""

    def on_validation_epoch_end(self, *given: Any) -> None:
        self.kept = list(self.rows)
        super().on_validation_epoch_end(*given)


def fit(folder: Path, *callbacks: Any) -> torch.Tensor:
    module = task()
    logger = CSVLogger(folder)
    trainer(
        folder, max_steps=2, limit_train_batches=2, logger=logger, callbacks=list(callbacks)
    ).fit(module, data())
    return flat(module)


def test_every_condition_and_real_photographs_are_drawn_and_training_is_as_without(
    tmp_path: Path,
) -> None:
    drawn = Kept(real=1)
    assert torch.equal(fit(tmp_path / "with", drawn), fit(tmp_path / "without"))
    assert [row.condition for row in drawn.kept] == [*CONDITIONS, "real"]
    clean = {row.photograph: row.pictures["clean"] for row in drawn.kept[:-1]}
    assert len(clean) == 2  # the photographs of a batch, in turn
    for row in drawn.kept[:-1]:
        assert torch.equal(row.pictures["clean"], clean[row.photograph])
        unchanged = torch.equal(row.pictures["input"], row.pictures["clean"])
        assert unchanged == (row.condition == "none")
    assert "clean" not in drawn.kept[-1].pictures
    (file,) = (tmp_path / "with").rglob("validation/step_000002.png")
    with Image.open(file) as picture:
        assert picture.size == (6 * 52 - 4, 10 * 52 - 4)


def test_pictures_are_those_of_the_networks_and_black_outside_the_field() -> None:
    torch.manual_seed(0)
    module = task()
    with torch.no_grad():
        for parameter in module.parameters():  # the two start equal, and change nothing
            parameter.add_(0.05 * torch.randn_like(parameter))
    module.eval()
    image, mask = torch.rand(2, 3, 48, 48), torch.ones(2, 1, 48, 48)
    mask[..., :10] = 0.0
    image = image * mask
    with torch.inference_mode():
        found = pictures(module, image, mask)
        seen = module.in_memory_format(image)
        student, teacher = module.student(seen), module.teacher.network(seen)
    assert torch.allclose(found["student"], student.image * mask, atol=1e-4)
    assert torch.allclose(found["teacher"], teacher.image * mask, atol=1e-4)
    assert not torch.equal(found["student"], found["teacher"])
    assert teacher.structure is not None
    assert torch.allclose(found["structure"], teacher.structure * mask, atol=1e-4)
    for picture in found.values():
        assert not picture[..., :10].any()
        assert 0.0 <= float(picture.min()) <= float(picture.max()) <= 1.0
    assert bool((found["uncertainty"][..., 20:] > 0).all())


def test_a_network_that_tells_its_error_is_asked_for_it() -> None:
    torch.manual_seed(0)
    network = MAGENet(
        **TINY, original_resolution_stage=False, detail_widths=(8, 8), detail_blocks=(1, 1)
    )
    module = SupervisedTask(network).eval()
    image, mask = torch.rand(1, 3, 64, 64), torch.ones(1, 1, 64, 64)
    with torch.inference_mode():
        found = pictures(module, image, mask)
        told = network(image, mask).log_error
    assert told is not None
    assert found["uncertainty"].shape == mask.shape
    whole = (told[:, 1].exp() / 0.1).clamp(max=1.0)
    assert abs(float(found["uncertainty"].mean() - whole.mean())) < 0.02


def test_a_picture_that_a_row_lacks_is_black() -> None:
    white = torch.ones(3, 32, 32)
    rows = [
        PictureRow("a", "real", {"input": white}),
        PictureRow("b", "none", {"input": white, "clean": white}),
    ]
    assert columns_of(rows) == ["input", "clean"]
    sheet = sheet_of(rows)
    assert sheet.getpixel((52, 16)) == (0, 0, 0)
    assert sheet.getpixel((52, 52)) == (255, 255, 255)
