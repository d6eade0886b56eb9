"""Who may ask: host names, origins, tokens; and what every answer forbids a browser."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from magenet.errors import UsageError
from magenet.serving.access import Access, chosen_token
from tests.magenet.serving.serving import URL, picture, served, uploads

TOKEN = "a-token-of-some-length"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Any]:
    app, _ = served(tmp_path / "served", access=Access(frozenset({"clinic.example"}), TOKEN))
    with TestClient(app, base_url=URL) as client:
        yield client


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1:8765", 200), ("localhost", 200), ("[::1]:80", 200), ("10.1.2.3", 200),
        ("evil.example", 421), ("127.0.0.1.evil.example", 421), ("", 421), ("[", 421),
        ("localhost.evil", 421), ("clinic.example", 421), ("127.0.0.1@evil.example", 421),
    ],
)  # fmt: skip
def test_a_page_whose_name_is_pointed_here_is_refused(client: Any, host: str, code: int) -> None:
    assert client.get("/jobs", headers={"Host": host}).status_code == code


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, 202),
        ({"Origin": URL, "Sec-Fetch-Site": "same-origin"}, 202),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"}, 403),
    ],
)
def test_no_other_site_acts_in_a_persons_name(
    client: Any, headers: dict[str, str], code: int
) -> None:
    answer = client.post("/enhance", files=uploads(("a.png", picture())), headers=headers)
    assert answer.status_code == code
    assert client.delete("/jobs", headers=headers).status_code == (204 if code == 202 else 403)


def test_no_other_site_reads_and_a_link_may_lead_here(client: Any) -> None:
    image = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/jobs", headers=image).status_code == 403
    assert client.get("/", headers=link).status_code == 200
    answer = client.options("/enhance", headers={"Origin": "http://evil.example"})
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize("address", ["/", "/jobs", "/docs", "/openapi.json", "/static/page.js"])
def test_without_the_token_nothing_is_told(guarded: Any, address: str) -> None:
    wrong = [{}, {"Authorization": "Bearer wrong"}, {"Cookie": "magenet_token=wr\u00f6ng"}]
    wrong += [{"Authorization": f"Basic {TOKEN}"}, {"Cookie": f"other={TOKEN}"}]
    for headers in wrong:
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        answer = guarded.get(address, headers=encoded)
        assert answer.status_code == 401
        assert TOKEN not in answer.text + str(answer.headers)
    assert guarded.get(address, headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_the_address_with_the_token_gives_the_browser_a_cookie(guarded: Any) -> None:
    assert guarded.get("/?token=wrong").status_code == 401
    assert guarded.get(f"/jobs?token={TOKEN}").status_code == 401, "only the page takes it"
    answer = guarded.get(f"/?token={TOKEN}")
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert guarded.get("/jobs").status_code == 200, "by the cookie"
    assert guarded.get("/jobs", headers={"Host": "clinic.example"}).status_code == 200


def test_every_answer_forbids_caches_frames_and_foreign_scripts(client: Any) -> None:
    for answer in (client.get("/"), client.get("/jobs"), client.get("/nowhere")):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-content-type-options"] == "nosniff"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


def test_a_token_is_random_unless_given_and_never_short() -> None:
    assert chosen_token(None, is_needed=False) is None
    first, second = (chosen_token(None, is_needed=True) for _ in range(2))
    assert first is not None
    assert len(first) >= 32
    assert first != second
    assert chosen_token(TOKEN, is_needed=False) == TOKEN
    for wrong in ("short", "a token of some length", "tok\u00e9n-of-some-length"):
        with pytest.raises(UsageError, match="--token"):
            chosen_token(wrong, is_needed=True)
