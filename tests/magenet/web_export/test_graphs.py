"""The graphs give what `magenet enhance` computes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from magenet.enhancement.calibration_curve import CalibrationCurve
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.fundus_check import FundusCheck
from magenet.enhancement.settings import Settings
from magenet.imaging.crop import crop
from magenet.imaging.field_of_view import estimate_field
from magenet.imaging.transfer import spread
from magenet.models import MAGENet, VesselSegmenter
from magenet.web_export.graphs import RESULTS, ChangeOfViews, Shown, write_graphs
from tests.magenet.conftest import retina
from tests.magenet.models.test_detail import SMALL
from tests.magenet.models.test_mage_net import awake

for package in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(package)

SIDE, LEVEL = 64, 1 / 255
CURVES = {
    "light": CalibrationCurve((0.0, 0.01, 0.5), (0.1, 0.4, 0.9)),
    "uncertainty": CalibrationCurve((0.0, 0.02, 0.3), (0.01, 0.05, 0.2)),
}


def enhancer(network: MAGENet, settings: Settings) -> PhotographEnhancer:
    cpu = torch.device("cpu")
    return PhotographEnhancer(network, settings, VesselSegmenter(), cpu, 1 << 62, half=False)


def run(folder: Path, name: str, **inputs: NDArray[Any]) -> dict[str, NDArray[Any]]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"))
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, inputs), strict=True))


@pytest.mark.parametrize("side", [SIDE, 40, 37, 128, 129, 201])
def test_the_network_sees_what_magenet_enhance_shows_it(
    side: int, fundus_check: FundusCheck
) -> None:
    image = retina(1, side)
    field = estimate_field(image)
    wanted, inside = enhancer(MAGENet(**SMALL), Settings(SIDE, fundus_check))._shown(
        image, field, SIDE
    )
    square = crop(torch.cat([image, image[:1]]), field.square).permute(1, 2, 0)
    views, mask = Shown(SIDE, ((), (-1,)))(square, crop(field.mask, field.square)[0])
    assert torch.equal(views[0], wanted)
    assert torch.equal(views[1], wanted.flip(-1))
    assert torch.equal(mask[0], inside)


@pytest.mark.parametrize("own_scale", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_the_graphs_give_the_change_of_magenet_enhance(
    own_scale: bool, weights: Path, fundus_check: FundusCheck, tmp_path: Path
) -> None:
    settings = Settings(SIDE, fundus_check, **CURVES)
    if own_scale:
        torch.manual_seed(1)
        network = awake(MAGENet(**SMALL)).eval()
    else:
        network = MAGENet.from_pretrained(weights)
    write_graphs(tmp_path, network, settings, SIDE)

    image = retina(2, 100)  # another size than the one that was exported
    field = estimate_field(image)
    square = crop(torch.cat([image, image[:1]]), field.square).permute(1, 2, 0)
    mask = crop(field.mask, field.square)[0]
    shown = run(tmp_path, "shown", square=square.numpy(), mask=mask.numpy())
    views, inside = shown["views"], shown["inside"]
    assert len(views) == (1 if own_scale else 4)
    expected_views, _ = Shown(SIDE, ((),))(square, mask)
    assert np.abs(views[0] - expected_views[0].numpy()).max() < 1.01 * LEVEL  # rounded otherwise

    outputs = [run(tmp_path, "network", view=view[None]) for view in views]
    told = {name: np.concatenate([o[name] for o in outputs]) for name in outputs[0]}
    given = run(tmp_path, "change", seen=views[:1], inside=inside, **told)
    assert tuple(given) == RESULTS
    seen, field_seen = torch.from_numpy(views[0]), torch.from_numpy(inside[0])
    reference = enhancer(network, settings)
    estimate = reference.estimate(seen, field_seen)
    wanted = spread(estimate.change[None], field_seen[None])[0]
    assert near(given["change"], wanted)
    assert float(wanted.abs().max()) > 0.02  # it does something
    assert float(given["light_share"]) == pytest.approx(estimate.light_share, abs=1e-4)
    assert near(given["expected_error"], reference._expected_error(estimate, field_seen))


def near(given: NDArray[Any], wanted: Tensor) -> bool:
    return given.shape == tuple(wanted.shape) and bool(np.abs(given - wanted.numpy()).max() < 1e-4)


def test_weights_without_calibration_tell_no_expected_error(fundus_check: FundusCheck) -> None:
    views, inside = torch.rand(4, 3, SIDE, SIDE), torch.ones(1, 1, SIDE, SIDE)
    told = ChangeOfViews(Settings(SIDE, fundus_check))(views, views[:1], inside)
    assert len(told) == 2
    assert float(told[1]) == 1.0
