"""`magenet export --format web` as a person meets it."""

import json
import re
from pathlib import Path

import pytest
import torch

from magenet.enhancement.fundus_check import FundusCheck
from magenet.enhancement.settings import Settings
from magenet.errors import UserError
from magenet.main import main
from magenet.web_export import folder as web
from magenet.web_export.folder import DRAWS, PAGE, side_on_page


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No download and no graphs."""
    monkeypatch.setattr(web, "write_runtime", lambda folder, given: folder.mkdir())
    monkeypatch.setattr(web, "write_graphs", lambda *rest: None)
    monkeypatch.setattr(web, "compared", lambda *rest: (1e-5, 1.0, 1.0))


@pytest.mark.usefixtures("quick")
def test_the_folder_holds_page_and_settings(
    weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "sub" / "page"
    assert main(["export", "--format", "web", "-o", str(out), "--weights", str(weights)]) == 0
    assert f"python -m http.server --directory {out}" in capsys.readouterr().out
    assert {file.name for file in PAGE.iterdir()} < {file.name for file in out.iterdir()}
    settings = json.loads((out / "settings.json").read_text())
    assert settings["side"] == 128
    assert str(tmp_path) not in (out / "settings.json").read_text(), "it tells nobody's folders"
    assert [path.name for path in out.parent.iterdir()] == ["page"]


@pytest.mark.usefixtures("quick")
def test_the_page_draws_the_numbers_that_the_field_of_view_draws(
    weights: Path, tmp_path: Path
) -> None:
    web.export_web(str(weights), tmp_path / "page")
    draws = json.loads((tmp_path / "page/settings.json").read_text())["draws"]
    for count in (87, 1013):
        generator = torch.Generator().manual_seed(0)
        wanted = torch.randint(count, (DRAWS // 3, 3), generator=generator)
        assert [draw % count for draw in draws] == wanted.flatten().tolist()


@pytest.mark.usefixtures("quick")
def test_a_folder_that_is_there_is_kept(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "page").mkdir()
    web.export_web(str(weights), tmp_path / "page")  # an empty one is filled
    before = sorted(file.name for file in (tmp_path / "page").iterdir())
    with pytest.raises(UserError, match="page: is there already; name another folder"):
        web.export_web(str(weights), tmp_path / "page")
    assert sorted(file.name for file in (tmp_path / "page").iterdir()) == before


@pytest.mark.usefixtures("quick")
def test_a_network_that_differs_leaves_nothing(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "compared", lambda *rest: (0.01, 1.0, 1.0))
    with pytest.raises(
        UserError, match=r"not written, since the exported network differs by 0\.01"
    ):
        web.export_web(str(weights), tmp_path / "page")
    assert not list(tmp_path.iterdir())


def test_a_runtime_is_for_the_page_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "-o", "a.onnx", "--onnxruntime", "b.tgz"]) == 2
    assert "--onnxruntime goes with --format web" in capsys.readouterr().err


def test_the_page_names_no_other_address() -> None:
    for file in PAGE.iterdir():
        text = file.read_text(encoding="utf-8").replace("http://localhost:8000", "")
        assert not re.search(r"(https?|wss?)://|['\"]//", text), file.name
    policy = re.search(r'Policy" content="([^"]*)"', (PAGE / "index.html").read_text())
    assert policy
    sources = {word for rule in policy[1].split(";") for word in rule.split()[1:]}
    assert sources == {"'none'", "'self'", "'wasm-unsafe-eval'", "blob:", "data:"}


@pytest.mark.parametrize(
    ("size", "side"), [(512, 512), ((512, 2048), 1024), ((96, 128), 128), ((1200, 2048), 1200)]
)
def test_the_page_sees_one_side_that_the_settings_allow(
    size: int | tuple[int, int], side: int, fundus_check: FundusCheck
) -> None:
    assert side_on_page(Settings(size, fundus_check)) == side


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("kind", ["weights", "own_scale_weights"])
def test_the_page_is_told_the_scale_of_its_network(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    web.export_web(str(request.getfixturevalue(kind)), tmp_path / "page")
    told = json.loads((tmp_path / "page/settings.json").read_text())
    assert told["own_scale"] == (kind == "own_scale_weights")
    assert (told["side"], told["greatest_side"]) == (128, 128)
