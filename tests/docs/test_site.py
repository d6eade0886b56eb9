"""The site is built without a warning, and its pages load nothing from elsewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

LOADED = re.compile(
    r'<(?:script|img|iframe|source|link)\b[^>]*\b(?:src|href)="?((?:https?:)?//[^" >]+)'
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    for name in ("mkdocs", "material", "mkdocstrings_handlers.python"):
        pytest.importorskip(name, reason="needs the extra: pip install 'magenet[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict"]
    command += ["-f", "docs/site/mkdocs.yml", "-d", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr[-3000:]
    return folder


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        assert not LOADED.findall(page.read_text()), page


def test_a_file_of_python_leads_to_its_docstrings(site: Path) -> None:
    page = (site / "docs/scores.html").read_text()
    links = set(re.findall(r'href="\.\./api/(magenet\.[\w.]+)\.html#([\w.]+)"', page))
    assert ("magenet.metrics", "magenet.metrics.full_reference.masked_psnr") in links
    for package, anchor in links:
        assert f'id="{anchor}"' in (site / f"api/{package}.html").read_text(), anchor


def test_every_documented_package_has_a_page(site: Path) -> None:
    packages = {p.stem for p in (site / "api").glob("*.html")}
    assert {"magenet", "magenet.metrics", "magenet.models.peers", "data_modules.files"} <= packages
    assert not packages & {"magenet.commands", "magenet.inference"}


def test_examples_of_docstrings_are_code(site: Path) -> None:
    for page in (site / "api").glob("*.html"):
        text = page.read_text()
        assert "&gt;&gt;&gt;" not in re.sub(r"<pre.*?</pre>", "", text, flags=re.DOTALL), page
        assert ":func:" not in text, page
