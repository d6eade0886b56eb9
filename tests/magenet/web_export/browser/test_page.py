"""The page enhances as `magenet enhance` does, and the photograph never leaves the browser."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from magenet.enhancement.enhancer import EnhancedPhotograph, PhotographEnhancer
from magenet.enhancement.settings import Settings
from magenet.models import MAGENet, VesselSegmenter
from magenet.web_export.folder import side_on_page
from tests.conftest import ROOT
from tests.magenet.conftest import retina

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def enhancer(page_weights: Path) -> PhotographEnhancer:
    """What the page is compared with: it sees every eye at the page's one side."""
    network, cpu = MAGENet.from_pretrained(page_weights), torch.device("cpu")
    settings = Settings.of(network)
    settings = replace(settings, size=side_on_page(settings))
    return PhotographEnhancer(network, settings, VesselSegmenter(), cpu, 1 << 62, half=False)


def drawn() -> Tensor:
    """Return a drawn retina in a wide frame, its field clipped above and below."""
    image = torch.zeros(3, 190, 251, dtype=torch.uint8)
    image[:, :, 20:240] = retina(5, 220)[:, 15:205]
    return image


def turned() -> Tensor:
    """Return a drawn retina whose field black bars clip at left and right."""
    image = torch.zeros(3, 250, 230, dtype=torch.uint8)
    image[:, 15:235, 20:210] = retina(5, 220)[:, :, 15:205]
    return image


def small() -> Tensor:
    """Return a drawn retina with fewer pixels than the network sees."""
    return retina(3, 118)


def photographed() -> Tensor:
    """Return the first photograph of the README's picture."""
    picture = np.asarray(Image.open(ROOT / "docs/images/before_after.jpg").convert("RGB"))
    return torch.from_numpy(picture[28:324, :300].copy()).permute(2, 0, 1)


def saved(image: Tensor, path: Path) -> Path:
    Image.fromarray(image.permute(1, 2, 0).numpy()).save(path)
    return path


def enhanced_on_page(tab: Any, file: Path, strength: int = 100) -> NDArray[np.uint8]:
    """Return what a person saves after choosing a photograph and a strength."""
    tab.set_input_files("#file", file)
    tab.wait_for_selector("#result:not([hidden])")
    if strength != 100:
        tab.locator("#strength").fill(str(strength))
    tab.wait_for_selector(f'#stage[data-strength="{strength / 100:g}"]')
    with tab.expect_download() as download:
        tab.click("#save")
    assert download.value.suggested_filename == f"{file.stem}_enhanced.png"
    return np.asarray(Image.open(download.value.path()).convert("RGB")).astype(int)


def compare(given: NDArray[Any], wanted: EnhancedPhotograph, image: Tensor) -> None:
    """Check that pixels are within one grey level, and untouched outside the field.

    One in ten thousand may be two levels away: random weights amplify rounding more than trained.
    """
    result = wanted.image.permute(1, 2, 0).numpy().astype(int)
    before = image.permute(1, 2, 0).numpy().astype(int)
    outside = ~wanted.field.mask[0].numpy()
    assert given.shape == result.shape
    difference = np.abs(given - result)
    assert difference.max() <= 2
    assert (difference > 1).mean() < 1e-4
    assert (given != result).mean() < 0.05
    assert outside.any()
    assert (given[outside] == before[outside]).all()
    assert np.abs(result - before).mean() > 1.0, "nothing was to be compared"


@pytest.mark.parametrize("photograph", [drawn, turned, small, photographed])
def test_the_page_gives_what_magenet_enhance_gives(
    photograph: Any, tab: Any, enhancer: PhotographEnhancer, tmp_path: Path
) -> None:
    image = photograph()
    given = enhanced_on_page(tab, saved(image, tmp_path / "an eye.png"))
    wanted = enhancer(image, force=True)
    compare(given, wanted, image)
    facts = tab.locator("#facts").inner_text().replace("\n", " ")
    assert f"{wanted.report.expected_error:.1f} of 255" in facts
    assert f"applied {100 * wanted.report.light_share:.0f} %" in facts


def test_strength_is_live_and_nothing_at_zero(
    tab: Any, enhancer: PhotographEnhancer, tmp_path: Path
) -> None:
    image = drawn()
    file = saved(image, tmp_path / "eye.png")
    assert (enhanced_on_page(tab, file, 0) == image.permute(1, 2, 0).numpy()).all()
    tab.locator("#strength").fill("60")
    tab.wait_for_selector('#stage[data-strength="0.6"]')
    with tab.expect_download() as download:
        tab.click("#save")
    given = np.asarray(Image.open(download.value.path()).convert("RGB")).astype(int)
    wanted = enhancer(image, strength=0.6, force=True).image.permute(1, 2, 0).numpy().astype(int)
    assert np.abs(given - wanted).max() <= 1


def test_it_says_at_which_size_detail_is_restored(tab: Any, page_folder: Path) -> None:
    told = json.loads((page_folder / "settings.json").read_text())
    note = tab.locator("#scale")
    assert note.is_visible() == told["own_scale"]
    if told["own_scale"]:
        assert f"Detail is restored at {told['side']} px." in note.inner_text()


def test_neither_page_nor_worker_reaches_another_origin(context: Any, address: str) -> None:
    other = address.replace("127.0.0.1", "localhost")  # another origin that is there

    def asked_of(where: Any, url: str) -> Any:
        ask = f"fetch({url!r}, {{mode: 'no-cors'}}).then(() => 'reached', () => 'refused')"
        return where.evaluate(ask)

    tab = context.new_page()
    tab.goto(address)
    tab.wait_for_selector("#file:enabled", state="attached")
    (worker,) = tab.workers
    for where in (tab, worker):
        assert asked_of(where, address) == "reached"
        assert asked_of(where, other) == "refused"
    tab.close()


def test_what_cannot_be_enhanced_is_told_and_the_next_photograph_is(
    tab: Any, tmp_path: Path
) -> None:
    text, black, thin = (tmp_path / name for name in ("text.png", "black.png", "thin.png"))
    text.write_text("no picture")
    saved(torch.zeros(3, 64, 64, dtype=torch.uint8), black)
    saved(torch.zeros(3, 32, 200, dtype=torch.uint8), thin)
    for file, said in (
        (text, "text.png: is no picture that this browser can read"),
        (black, "black.png: no field of view was found"),
        (thin, "thin.png: is 200x32 px: too long for its width"),
    ):
        tab.set_input_files("#file", file)
        tab.wait_for_selector("#message:not([hidden])")
        assert tab.locator("#message").inner_text().startswith(said)
        assert tab.locator("#result").is_hidden()
    enhanced_on_page(tab, saved(drawn(), tmp_path / "eye.png"))
    assert tab.locator("#message").is_hidden()


SLOW_WORKER = """
const Real = Worker;
window.Worker = class extends Real {
  set onmessage(hear) { super.onmessage = (event) => setTimeout(() => hear(event), 500); }
};
"""


def test_a_photograph_that_comes_while_the_network_is_loaded_is_next(
    context: Any, address: str, tmp_path: Path
) -> None:
    tab = context.new_page()
    tab.add_init_script(SLOW_WORKER)
    tab.goto(address)
    tab.set_input_files("#file", saved(drawn(), tmp_path / "eye.png"))
    assert tab.locator("#step").inner_text().endswith("; eye.png comes next")
    tab.wait_for_selector("#result:not([hidden])")
    assert tab.locator("#facts").inner_text().replace("\n", " ").startswith("Size 251 x 190 px")
    tab.close()


LATE_RESULTS = """
const Real = Worker;
window.Worker = class extends Real {
  set onmessage(hear) {
    super.onmessage = (event) => setTimeout(() => hear(event), event.data.result ? 1500 : 0);
  }
};
"""


def test_a_late_result_of_one_photograph_is_not_shown_for_the_next(
    context: Any, address: str, tmp_path: Path
) -> None:
    tab = context.new_page()
    tab.add_init_script(LATE_RESULTS)
    tab.goto(address)
    enhanced_on_page(tab, saved(drawn(), tmp_path / "first.png"))
    tab.locator("#strength").fill("60")  # its result is under way
    tab.set_input_files("#file", saved(small(), tmp_path / "second.png"))
    tab.wait_for_selector("#result:not([hidden])")
    assert tab.locator("#stage").get_attribute("data-strength") == "1", "not the first one's 0.6"
    tab.close()


def test_a_person_compares_and_looks_at_the_uncertainty(tab: Any, tmp_path: Path) -> None:
    tab.set_viewport_size({"width": 390, "height": 800})
    enhanced_on_page(tab, saved(drawn(), tmp_path / "eye.png"))
    tab.locator("#divide").focus()
    for _ in range(10):
        tab.keyboard.press("ArrowRight")
    assert tab.evaluate("document.getElementById('right').style.clipPath").endswith("55%)")
    assert tab.locator("#heat").is_hidden()
    tab.check("#overlay")
    assert tab.locator("#heat").is_visible()
    assert "expected error" in tab.locator("#legend").inner_text()
    assert tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_opened_from_a_file_it_says_what_it_needs(context: Any, page_folder: Path) -> None:
    tab = context.new_page()
    tab.goto((page_folder / "index.html").as_uri())
    assert "python -m http.server" in tab.locator("#message").inner_text()
    tab.close()
