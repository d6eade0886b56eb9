"""A training of two processes from an S3 server, killed in an epoch and resumed."""

import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from data_modules import PhantomPhotographs, StreamedPhotographs
from data_modules.datasets import addresses
from data_modules.datasets.shards import write_shards
from magenet.errors import UserError
from tests.data_modules.samples import same
from tests.experiments.test_resume import assert_equal_runs, layer, run_with_kills

boto3 = pytest.importorskip("boto3", reason="needs the extra: pip install 'magenet[stream]'")
server = pytest.importorskip("moto.server", reason="needs the extra: pip install 'magenet[dev]'")

SHARDS = """
    synthetic: {{class_path: data_modules.StreamedPhotographs, init_args: {{location: {0}/good}}}}
    real: {{class_path: data_modules.StreamedPhotographs, init_args: {{location: {0}/real}}}}
    image_size: 48
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good and real photographs, several shards of each."""
    folder = tmp_path_factory.mktemp("shards")
    for name, count in (("good", 16), ("real", 8)):
        write_shards(PhantomPhotographs(count, val_count=2), folder / name, 48, shard_size=4)
    return folder


@pytest.fixture
def store(shards: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An S3 server that holds the shards, and the variables by which boto3 finds it."""
    running = server.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="eyes")
    for file in shards.rglob("*.*"):
        client.upload_file(str(file), "eyes", file.relative_to(shards).as_posix())
    yield "s3://eyes"
    running.stop()


def configuration(location: str) -> str:
    """Return the configuration of a resumed training, on shards instead of phantoms."""
    before, rest = layer({"max_epochs": 3, "max_steps": -1}, 1, devices=2).split("    synthetic:")
    return before + SHARDS.format(location) + rest[rest.index("    batch_size:") :]


@pytest.mark.slow
def test_photographs_and_errors_of_an_object_store(
    shards: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "ATTEMPTS", 1)
    here = StreamedPhotographs(str(shards / "good")).dataset("train", 48)
    there = StreamedPhotographs(f"{store}/good").dataset("train", 48)
    assert len(here) == len(there) > 1
    assert all(same(here[i], there[i]) for i in range(len(here)))
    for location in (f"{store}/gone", "s3://gone/good", "s3://", "s3:/eyes/good"):
        with pytest.raises(UserError, match=r"index\.json: cannot be read"):
            StreamedPhotographs(location).dataset("train", 48)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"cannot be read.*127"):
        StreamedPhotographs(f"{store}/good").dataset("train", 48)


@pytest.mark.slow
def test_a_killed_training_of_two_processes_goes_on(
    tmp_path: Path, shards: Path, store: str
) -> None:
    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    for folder, location in ((whole, str(shards)), (resumed, store)):
        folder.mkdir()
        (folder / "small.yaml").write_text(configuration(location))
    run_with_kills(whole, 0, signal.SIGKILL, random.Random(0))
    assert run_with_kills(resumed, 1, signal.SIGKILL, random.Random(0)) == 1
    assert len(list(resumed.rglob("metrics.csv"))) == 2, "killed, and gone on"
    assert_equal_runs(whole, resumed)
