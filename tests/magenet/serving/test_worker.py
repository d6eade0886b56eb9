"""The real enhancer behind the server: results are those of `magenet enhance`, to the bit."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import ExifTags, Image
from starlette.testclient import TestClient

from data_modules.files.reading import read_native
from data_modules.files.writing import MetadataChoice, write_photograph
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.folder.results import FolderOptions
from magenet.enhancement.page.pictures import page_pixels
from magenet.serving.access import Access
from magenet.serving.app import create_app
from magenet.serving.limits import Limits
from magenet.serving.store import Store
from magenet.serving.worker import UploadEnhancer
from tests.magenet.commands.enhancing import enhance
from tests.magenet.conftest import retina
from tests.magenet.serving.serving import URL, StandIn, finished, picture, send, served

VALUES = ("verdict", "reasons", "expected_error", "vessel_lost", "light_share", "result_sha256")


@pytest.fixture(scope="module")
def real(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A server with the tiny network."""
    enhancer = PhotographEnhancer.from_pretrained(weights, torch.device("cpu"), 1 << 36)
    app, _ = served(tmp_path_factory.mktemp("real") / "served", enhancer=enhancer)
    with TestClient(app, base_url=URL) as client:
        yield client


def test_a_result_is_that_of_the_command_to_the_bit(
    real: Any, weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    given = picture(3, "jpeg", 200)
    (tmp_path / "in/eye.jpg").write_bytes(given)
    strength = ["--strength", "0.5"]
    assert enhance(tmp_path / "in", "-o", tmp_path / "out", "--weights", weights, *strength) == 0
    expected = json.loads((tmp_path / "out/eye.jpg.json").read_text())
    (photograph,) = finished(real, send(real, ("eye.jpg", given), strength="0.5")["job"])
    assert {name: photograph["report"][name] for name in VALUES} == {
        name: expected[name] for name in VALUES
    }
    result = real.get("/" + photograph["pictures"]["result"])
    assert result.content == (tmp_path / "out/eye.jpg").read_bytes()


@pytest.mark.parametrize(
    ("metadata", "kept"), [("clinical", {"Make"}), ("keep", {"Make", "Artist", "GPSInfo"})]
)
def test_a_result_keeps_the_metadata_that_the_server_is_told_to(
    tmp_path: Path, metadata: MetadataChoice, kept: set[str]
) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Artist] = "Topcon", "Dr. X"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    stream = io.BytesIO()
    Image.open(io.BytesIO(picture())).save(stream, "jpeg", exif=exif)
    options = FolderOptions("mage_net", metadata=metadata)
    app = create_app(Store(tmp_path / "s", Limits()), UploadEnhancer(StandIn(), options), Access())  # type: ignore[arg-type]
    with TestClient(app, base_url=URL) as client:
        job = send(client, ("eye.jpg", stream.getvalue()))["job"]
        (photograph,) = finished(client, job)
        result = client.get("/" + photograph["pictures"]["result"]).content
    found = Image.open(io.BytesIO(result)).getexif()
    names = {ExifTags.TAGS[tag] for tag in found} & {"Make", "Artist", "GPSInfo"}
    assert names == kept


def test_the_slider_shows_what_the_strength_gives(real: Any, weights: Path) -> None:
    """A page lays the enhanced copy over the other with the strength as opacity."""
    enhancer = PhotographEnhancer.from_pretrained(weights, torch.device("cpu"), 1 << 36)
    image = retina(3)
    before = page_pixels(image)
    whole, part = (page_pixels(enhancer(image, None, s, True).image) for s in (1.0, 0.3))
    assert before is not None
    assert whole is not None
    assert part is not None
    shown = before + 0.3 * (whole.astype(float) - before)
    clipped = (whole == 0) | (whole == 255)  # there the whole change is not seen whole
    assert np.abs(shown - part)[~clipped].max() <= 1.0
    assert np.abs(whole.astype(int) - before).max() > 3, "the network does something"


def test_what_is_no_fundus_is_refused_with_the_reason(real: Any) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (100, 120, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(noise).save(stream, "png")
    (refused,) = finished(real, send(real, ("noise.png", stream.getvalue()))["job"])
    assert refused["status"] == "refused"
    assert "fundus photograph" in refused["reasons"][0]
    assert set(refused["pictures"]) == {"before", "thumbnail"}


def test_16_bit_and_dicom_come_back_as_they_came(real: Any, tmp_path: Path) -> None:
    pytest.importorskip("cv2", reason="needs the extra 16bit")
    write_photograph(retina(3).to(torch.uint16) * 257, tmp_path / "deep.png")
    files = [("deep.png", (tmp_path / "deep.png").read_bytes())]
    pytest.importorskip("pydicom", reason="needs the extra dicom")
    from tests.data_modules.files.ophthalmic import photograph as dicom

    dicom(tmp_path / "eye.dcm", retina(3).permute(1, 2, 0).numpy())
    files.append(("IM0001", (tmp_path / "eye.dcm").read_bytes()))
    photographs = finished(real, send(real, *files)["job"])
    assert [one["status"] for one in photographs] == ["enhanced", "enhanced"]
    for one, name in zip(photographs, ("deep.png", "eye.dcm"), strict=True):
        answer = real.get("/" + one["pictures"]["result"])
        (tmp_path / f"result_{name}").write_bytes(answer.content)
        result, given = read_native(tmp_path / f"result_{name}"), read_native(tmp_path / name)
        assert (result.dtype, result.shape) == (given.dtype, given.shape)
        assert not torch.equal(result, given)
    assert real.get("/" + photographs[1]["pictures"]["result"]).headers["content-type"] == (
        "application/dicom"
    )
