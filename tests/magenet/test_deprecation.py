"""Class paths in configurations saved by 0.1 are still found, with a word about the new one."""

from importlib import import_module
from pathlib import Path

import pytest

import magenet.scoring
from magenet import evaluation
from magenet.main import main
from tests.command_line import LIMITS, SMALL, configs

OLD = {
    "magenet.report.BeforeAfterPictures": "magenet.callbacks.before_after",
    "magenet.report.Provenance": "magenet.callbacks.provenance",
    "magenet.inference.released.ReleasedEnhancer": "magenet.enhancement.released",
    "magenet.degradation.EitherDegradation": "magenet.degradation.mixture",
    "data_modules.RealDataModule": "data_modules.evaluation",
    **{f"magenet.scoring.{name}": "magenet.evaluation" for name in magenet.scoring.NAMES},
}


@pytest.mark.parametrize("path", OLD)
def test_an_old_class_path_leads_to_the_class(path: str) -> None:
    module, _, name = path.rpartition(".")
    with pytest.warns(FutureWarning, match=rf"{name} is now "):
        found = getattr(import_module(module), name)
    assert found.__module__.startswith(OLD[path])


def test_every_old_name_of_the_evaluation_is_public() -> None:
    """Names that came later, such as `PairVesselJudge`, never had an old path."""
    assert set(magenet.scoring.NAMES) <= set(evaluation.__all__)


def test_a_name_that_never_was_is_refused() -> None:
    with pytest.raises(AttributeError, match=r"magenet\.scoring.*Nothing"):
        magenet.scoring.Nothing  # noqa: B018


@pytest.mark.filterwarnings("ignore:.*is now magenet.callbacks:FutureWarning")
def test_a_configuration_saved_by_0_1_still_trains_and_tests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = Path(__file__).parent / "saved/config_0_1.yaml"
    monkeypatch.chdir(tmp_path)
    Path("limits.yaml").write_text(LIMITS)
    Path("small.yaml").write_text(SMALL)
    layers = configs(saved, "limits.yaml", "small.yaml")
    assert main(["fit", *layers]) == 0
    checkpoint = next(Path("runs").rglob("best.ckpt"))
    assert main(["test", *layers, "--ckpt_path", str(checkpoint)]) == 0
    assert len(list(Path("runs").rglob("scores.csv"))) == 1
