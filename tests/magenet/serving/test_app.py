"""The REST API: from an upload to its result, its verdict, its pictures, its deletion."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from magenet.enhancement.page.pictures import HEAT
from tests.conftest import ROOT
from tests.magenet.serving.serving import (
    StandIn,
    files_below,
    finished,
    is_at_work,
    picture,
    send,
    until,
    uploads,
)


def opened(answer: Any) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int)


def test_an_upload_becomes_a_result_with_verdict_and_pictures(client: Any) -> None:
    given = picture()
    job = send(client, ("eye.png", given))
    (photograph,) = finished(client, job["job"])
    assert photograph["status"] == "enhanced"
    assert (photograph["verdict"], photograph["reasons"]) == ("check", ["it is a stand-in"])
    assert photograph["error_level"] == "fair"
    assert photograph["report"]["expected_error"] == 8.0
    assert set(photograph["pictures"]) == {
        "result", "before", "after", "uncertainty", "change", "thumbnail",
    }  # fmt: skip
    result = client.get("/" + photograph["pictures"]["result"])
    assert result.headers["content-type"] == "image/png"
    assert result.headers["content-disposition"] == "attachment; filename*=UTF-8''eye.png"
    before = np.asarray(Image.open(io.BytesIO(given))).astype(int)
    assert np.array_equal(opened(result), before[..., ::-1])
    assert opened(client.get("/" + photograph["pictures"]["before"])).shape == before.shape
    assert client.get("/" + photograph["pictures"]["change"]).headers["content-type"] == "image/png"


def test_no_answer_holds_a_path_of_this_machine(client: Any, tmp_path: Path) -> None:
    job = send(client, ("eye.png", picture()), ("torn.png", picture()[:200]), ("a.txt", b"text"))
    photographs = finished(client, job["job"])
    assert [one["status"] for one in photographs] == ["enhanced", "failed", "failed"]
    assert all(one["reasons"] for one in photographs)
    archive = zipfile.ZipFile(io.BytesIO(client.get("/results.zip").content))
    told = [
        client.get("/jobs").text,
        *(archive.read(name).decode("latin-1") for name in archive.namelist()),
    ]
    for text in told:
        assert str(tmp_path) not in text
        assert "given" not in text


def test_what_is_no_fundus_is_refused_shown_and_enhanced_all_the_same_when_asked(
    client: Any,
) -> None:
    stream = io.BytesIO()
    Image.new("RGB", (64, 64), (90, 90, 90)).save(stream, "png")
    job = send(client, ("wall.png", stream.getvalue()))
    (photograph,) = finished(client, job["job"])
    assert photograph["status"] == "refused"
    assert photograph["reasons"] == ["does not look like a fundus photograph"]
    assert set(photograph["pictures"]) == {"before", "thumbnail"}
    address = f"/jobs/{job['job']}/photographs/0"
    assert client.get(f"{address}/result").status_code == 404
    assert client.patch(address, json={"force": True}).json()["status"] in ("waiting", "working")
    assert finished(client, job["job"])[0]["status"] == "enhanced"
    assert client.get(f"{address}/result").status_code == 200


def test_another_strength_gives_the_result_that_the_slider_has_shown(client: Any) -> None:
    job = send(client, ("eye.png", picture()))["job"]
    (first,) = finished(client, job)
    before, after = (
        opened(client.get("/" + first["pictures"][kind])) for kind in ("before", "after")
    )
    address = f"/jobs/{job}/photographs/0"
    client.patch(address, json={"strength": 0.4})
    (second,) = finished(client, job)
    assert second["report"]["strength"] == 0.4
    assert second["shown_strength"] == 1.0, "the slider still reaches the whole change"
    assert np.array_equal(opened(client.get("/" + second["pictures"]["after"])), after)
    blend = before + 0.4 * (after - before)  # of JPEG copies
    result = opened(client.get(f"{address}/result"))
    assert np.abs(blend - result).mean() < 4
    client.patch(address, json={"force": True})
    assert finished(client, job)[0]["strength"] == 0.4, "what is not given stays"
    client.patch(address, json={"strength": 1.0})
    (last,) = finished(client, job)
    assert (last["strength"], last["force"]) == (1.0, True)


def test_pictures_of_other_weights_are_made_anew(client: Any, stand_in: StandIn) -> None:
    """As after a restart with other weights."""
    job = send(client, ("eye.png", picture()))["job"]
    finished(client, job)
    stand_in.hashes["weights_sha256"] = "2" * 64
    client.patch(f"/jobs/{job}/photographs/0", json={"strength": 0.4})
    (second,) = finished(client, job)
    assert second["shown_strength"] == 0.4, "not the other network's whole change"


def test_an_archive_pairs_no_report_with_another_result(client: Any, tmp_path: Path) -> None:
    """As where a photograph is enhanced anew while the archive is sent."""
    job = send(client, ("a.png", picture(0)), ("b.png", picture(1)))["job"]
    finished(client, job)
    results = sorted(tmp_path.glob("served/jobs/*/*/enhanced/given.png"))
    assert len(results) == 2
    results[0].write_bytes(results[1].read_bytes())
    archive = zipfile.ZipFile(io.BytesIO(client.get("/results.zip").content))
    assert archive.read("left_out.txt").decode() == "a.png: enhanced anew, download again\n"
    assert {"b.png", "b.png.json"} <= set(archive.namelist())
    assert not {"a.png", "a.png.json"} & set(archive.namelist())
    results[0].unlink()
    archive = zipfile.ZipFile(io.BytesIO(client.get("/results.zip").content))
    assert archive.read("left_out.txt").decode() == "a.png: deleted meanwhile\n"


def test_nothing_is_changed_while_it_is_at_work(client: Any, stand_in: StandIn) -> None:
    stand_in.open.clear()
    job = send(client, ("eye.png", picture()))["job"]
    address = f"/jobs/{job}/photographs/0"
    until(lambda: is_at_work(client, job))
    assert client.patch(address, json={"strength": 0.5}).status_code == 409
    archive = zipfile.ZipFile(io.BytesIO(client.get("/results.zip").content))
    assert archive.read("left_out.txt").decode() == "eye.png: not enhanced yet, download again\n"
    stand_in.open.set()
    finished(client, job)


def test_all_results_are_one_archive_with_reports_and_a_listing(client: Any) -> None:
    first = send(client, ("a/eye.png", picture(1)), ("EYE.png", picture(2)))
    second = send(client, ("a/eye.png", picture(3)))
    for job in (first, second):
        finished(client, job["job"])
    answer = client.get("/results.zip")
    assert "content-length" not in answer.headers, "it is sent while it is made"
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
    assert archive.testzip() is None
    names = ["a/eye.png", "EYE.png", "a/eye (2).png"]
    assert archive.namelist() == [
        *(f"{n}{end}" for n in names for end in ("", ".json")),
        "enhance.csv",
    ]
    assert json.loads(archive.read("a/eye (2).png.json"))["name"] == "a/eye (2).png"
    assert len(archive.read("enhance.csv").decode().splitlines()) == 4
    one = zipfile.ZipFile(io.BytesIO(client.get(f"/jobs/{second['job']}/results.zip").content))
    assert one.namelist() == ["a/eye.png", "a/eye.png.json", "enhance.csv"]


def test_what_is_deleted_is_gone_from_disk(client: Any, tmp_path: Path) -> None:
    job = send(client, ("a.png", picture(1)), ("b.png", picture(2)))["job"]
    other = send(client, ("c.png", picture(3)))["job"]
    finished(client, job)
    finished(client, other)
    assert client.delete(f"/jobs/{job}/photographs/0").status_code == 204
    assert [one["name"] for one in client.get(f"/jobs/{job}").json()["photographs"]] == ["b.png"]
    assert not (tmp_path / "served/jobs" / job / "0").exists()
    assert client.delete(f"/jobs/{job}/photographs/0").status_code == 404
    assert client.delete(f"/jobs/{job}/photographs/1").status_code == 204
    assert client.get(f"/jobs/{job}").status_code == 404, "nothing is left of it"
    assert client.delete("/jobs").status_code == 204
    assert client.get("/jobs").json() == []
    assert files_below(tmp_path / "served") == set()


def test_a_photograph_that_is_deleted_while_it_is_enhanced_leaves_nothing(
    client: Any, stand_in: StandIn, tmp_path: Path
) -> None:
    stand_in.open.clear()
    job = send(client, ("eye.png", picture()))["job"]
    until(lambda: is_at_work(client, job))
    assert client.delete(f"/jobs/{job}").status_code == 204
    stand_in.open.set()
    finished(client, send(client, ("next.png", picture(2)))["job"])
    assert {Path(file).parts[1] for file in files_below(tmp_path / "served")} != {job}
    assert not (tmp_path / "served/jobs" / job).exists()


def test_a_client_is_told_only_what_is_new(client: Any) -> None:
    first = client.get("/jobs")
    again = client.get("/jobs", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    send(client, ("eye.png", picture()))
    assert client.get("/jobs", headers={"If-None-Match": again.headers["etag"]}).status_code == 200


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"strength": "1.5"}, "strength: Input should be less than or equal to 1"),
        ({"strength": "nan"}, "strength: Input should be a finite number"),
        ({"force": "perhaps"}, "force: Input should be a valid boolean"),
    ],
)
def test_a_wrong_value_is_named(client: Any, form: dict[str, str], said: str) -> None:
    answer = client.post("/enhance", files=uploads(("a.png", picture())), data=form)
    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(said)


def test_the_api_describes_itself_without_a_network(client: Any) -> None:
    description = client.get("/openapi.json").json()
    assert {"/enhance", "/jobs", "/jobs/{job}", "/results.zip"} <= set(description["paths"])
    for operations in description["paths"].values():
        assert all(operation.get("description") for operation in operations.values())
    for name in ("page.html", "api.html", "page.js", "stage.js", "api.js", "page.css"):
        address = {"page.html": "/", "api.html": "/docs"}.get(name, f"/static/{name}")
        answer = client.get(address)
        assert answer.status_code == 200
        assert "http" not in answer.text.replace("http-equiv", ""), "loads nothing from elsewhere"


def test_the_legend_has_the_colours_of_the_overlays() -> None:
    css = (ROOT / "magenet/serving/page.css").read_text()
    for _, red, green, blue, opacity in HEAT:
        assert f"rgb({red:g} {green:g} {blue:g} / {opacity:.0%})" in css
