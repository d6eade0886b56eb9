import json
from pathlib import Path

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from torch import Tensor

from data_modules import GradingDataModule, ManifestPhotographs
from data_modules.datasets.manifest import QUALITIES
from data_modules.datasets.phantom import draw_phantom
from data_modules.files.writing import write_photograph
from magenet.metrics import fit_temperature
from magenet.models import Grader
from magenet.tasks import GradingTask, QualityTask, RetinopathyTask
from tests.magenet.tasks.tiny import trainer


def network(classes: int = 3) -> Grader:
    torch.manual_seed(0)
    return Grader(classes, size=32, widths=[8, 12, 16], dropout=0.0)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> GradingDataModule:
    """Phantoms whose quality is their contrast, two of each patient."""
    folder = tmp_path_factory.mktemp("graded")
    rows, labels = ["image,split,quality"], ["image,patient,dr_grade"]
    for index in range(36):
        quality, split = index % 3, "val" if index >= 24 else "train"
        image = draw_phantom(index, 48).image.float() * (1.0, 0.6, 0.3)[quality]
        write_photograph(image.round().to(torch.uint8), folder / f"{index}.png")
        rows.append(f"{index}.png,{split},{QUALITIES[quality]}")
        labels.append(f"{index}.png,p{index // 2},{quality}")
    (folder / "index.csv").write_text("\n".join(rows))
    (folder / "labels.csv").write_text("\n".join(labels))
    photographs = ManifestPhotographs(
        str(folder / "index.csv"), only_with="quality", labels=[str(folder / "labels.csv")]
    )
    return GradingDataModule(photographs, "quality", image_size=48, batch_size=8, workers=0)


def test_training_learns_what_quality_is_and_writes_it_down(
    tmp_path: Path, data: GradingDataModule
) -> None:
    task = QualityTask(network(), optimizer=lambda p: torch.optim.Adam(p, lr=1e-2))
    logger = CSVLogger(tmp_path, name="", version="run")
    running = trainer(
        tmp_path, max_steps=60, logger=logger, check_val_every_n_epoch=20, limit_val_batches=None
    )
    running.fit(task, data)
    assert float(running.callback_metrics["val/balanced_accuracy"]) > 0.8
    temperature = float(task.grader.temperature)
    assert temperature != 1.0

    running.test(task, data, verbose=False)
    assert float(task.grader.temperature) == temperature, "only a training fits it"
    report = json.loads((tmp_path / "run/grading.json").read_text())
    assert report["photographs"] == 12
    assert report["patients"] == 6
    assert report["classes"] == ["good", "usable", "reject"]
    assert [sum(row) for row in report["confusion"]] == [4, 4, 4]
    good = sum(row[0] for row in report["confusion"])
    usable = sum(row[1] for row in report["confusion"])
    assert report["fiqa"] == pytest.approx(good / 12)
    assert report["wfqa"] == pytest.approx((2 * good + usable) / 12)
    assert report["temperature"] == pytest.approx(temperature)
    for calibration in report["calibration"].values():
        assert sum(bin_["count"] for bin_ in calibration["bins"]) == 12


def test_a_checkpoint_holds_the_temperature_of_its_own_weights(
    tmp_path: Path, data: GradingDataModule
) -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint

    task = QualityTask(network())
    best = ModelCheckpoint(tmp_path, "best", monitor="val/balanced_accuracy", mode="max")
    trainer(
        tmp_path, max_steps=3, callbacks=[best], enable_checkpointing=True, limit_val_batches=None
    ).fit(task, data)
    state = torch.load(tmp_path / "best.ckpt", weights_only=True)["state_dict"]
    task.load_state_dict(state)
    task.eval()
    loaded = [data.prepare(batch, training=False) for batch in data.val_dataloader()]
    with torch.no_grad():
        logits = torch.cat([task.grader(batch["image"]) for batch in loaded])
    labels = torch.cat([batch["label"] for batch in loaded])
    expected = float(fit_temperature(logits, labels))
    assert float(state["network.temperature"]) == pytest.approx(expected, rel=0.03)


def test_patients_behind_the_confusion_are_counted_once() -> None:
    logits = 9.0 * torch.eye(3)[[0, 0, 1, 2]]
    report = QualityTask(network()).report(logits, torch.tensor([0, 0, 0, 2]), ["p", "p", "p", "q"])
    assert report["confusion"] == [[2, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert report["confusion_patients"] == [[1, 1, 0], [0, 0, 0], [0, 0, 1]]
    assert report["patients"] == 2
    assert report["balanced_accuracy"] == pytest.approx((2 / 3 + 1) / 2)


def test_the_loss_weighs_grades_alike() -> None:
    task = GradingTask(network(), ["a", "b", "c"], label_smoothing=0.0)
    task.eval()
    image, label = torch.rand(3, 3, 32, 32), torch.tensor([0, 1, 2])

    def loss(weight: list[float]) -> Tensor:
        weights = torch.tensor(weight)
        return task.training_loss({"image": image, "label": label, "weight": weights})

    parts = [loss([3.0 * float(i == j) for j in range(3)]) for i in range(3)]
    assert float(loss([1.0, 1.0, 1.0])) == pytest.approx(float(sum(parts)) / 3, rel=1e-5)
    assert float(loss([1.0, 0.0, 5.0])) == pytest.approx(
        float(parts[0] + 5 * parts[2]) / 3, rel=1e-5
    )


def test_retinopathy_is_scored_by_the_distance_of_grades() -> None:
    task = RetinopathyTask(network(5))
    labels = torch.tensor([0, 1, 2, 3, 4])
    near, far = (
        task.scores(torch.tensor(grades), labels)["quadratic_kappa"]
        for grades in ([0, 1, 2, 3, 3], [0, 1, 2, 3, 0])
    )
    assert float(far) < float(near) < 1.0


@pytest.mark.parametrize("classes", [5, 3, 2])
def test_kappa_equals_cohens_formula_also_with_absent_classes(classes: int) -> None:
    labels, grades = torch.randint(classes, (300,)), torch.randint(classes, (300,))
    grades = torch.where(torch.rand(300) < 0.5, labels, grades)
    pairs = list(zip(labels.tolist(), grades.tolist(), strict=True))
    observed = sum((label - grade) ** 2 for label, grade in pairs) / len(pairs)
    chance = sum((label - grade) ** 2 for label, _ in pairs for _, grade in pairs) / len(pairs) ** 2
    scores = RetinopathyTask(network(5)).scores(grades, labels)
    assert float(scores["quadratic_kappa"]) == pytest.approx(1 - observed / chance, abs=1e-6)


def test_kappa_of_agreement_is_one_of_chance_zero_and_of_one_class_undefined() -> None:
    task = RetinopathyTask(network(5))
    labels = torch.arange(3).repeat_interleave(3)
    assert float(task.scores(labels, labels)["quadratic_kappa"]) == 1.0
    chance = task.scores(torch.arange(3).repeat(3), labels)["quadratic_kappa"]
    assert float(chance) == pytest.approx(0.0, abs=1e-6)
    alone = torch.full((4,), 2)
    assert bool(task.scores(alone, alone)["quadratic_kappa"].isnan())


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(ValueError, match="3 classes for the grades none, mild"):
        RetinopathyTask(network(3))
