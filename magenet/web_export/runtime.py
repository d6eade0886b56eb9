"""ONNX Runtime Web: what runs the graphs in a browser, from the npm registry or from a file."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from magenet.errors import UserError

NAME, VERSION = "onnxruntime-web", "1.30.0"

SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
"""Hash of the package, in base64, as npm states it (`npm view onnxruntime-web dist.integrity`)."""

FILES = {
    # Some servers do not know that .mjs is JavaScript.
    "package/dist/ort.wasm.bundle.min.mjs": "ort.wasm.bundle.min.js",
    "package/dist/ort-wasm-simd-threaded.wasm": "ort-wasm-simd-threaded.wasm",
}
"""What the page needs of the package, and how it is called there."""

MOST_SECONDS = 600
"""Time after which a download is given up, in seconds (our choice)."""


def write_runtime(folder: Path, given: Path | None = None) -> None:
    """Write the runtime's files.

    Args:
        folder: Folder to write to; it is made.
        given: The package as a file, `onnxruntime-web-<version>.tgz`; fetched by npm if None.

    Raises:
        UserError: If the package cannot be had, or is another one.
    """
    content = _fetched() if given is None else _read(given)
    digest = base64.b64encode(hashlib.sha512(content).digest()).decode("ascii")
    if digest != SHA512:
        raise UserError(
            f"{given or NAME}: is not {NAME} {VERSION}, or is damaged: its hash is "
            f"sha512-{digest}, not sha512-{SHA512}"
        )
    folder.mkdir()
    with tarfile.open(fileobj=io.BytesIO(content)) as package:
        for member, name in FILES.items():
            file = package.extractfile(member)
            assert file is not None  # the hash is right
            (folder / name).write_bytes(file.read())


def _read(path: Path) -> bytes:
    """Return the content of a package that was given."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"--onnxruntime {path}: cannot be read ({error.strerror})") from None


def _fetched() -> bytes:
    """Return the package, by npm's own client: it knows the registry, proxies and its cache."""
    wanted = f"{NAME}@{VERSION}"
    otherwise = (
        f"; where there is npm and a network, `npm pack {wanted}` fetches it: give the file with "
        f"--onnxruntime {NAME}-{VERSION}.tgz"
    )
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(f"--format web needs npm, which fetches {NAME}: it is missing{otherwise}")
    with TemporaryDirectory() as folder:
        command = [npm, "pack", wanted, "--pack-destination", folder, "--loglevel=error"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS)
            if done.returncode == 0:
                return Path(folder, f"{NAME}-{VERSION}.tgz").read_bytes()
            lines = [line.removeprefix("npm error ") for line in done.stderr.splitlines()]
            lines = [line for line in lines if line and not line.startswith("code ")]
            reason = lines[0] if lines else f"it exits with {done.returncode}"
        except subprocess.TimeoutExpired:
            reason = f"no answer in {MOST_SECONDS} s"
        except OSError as error:
            reason = str(error)
    raise UserError(f"--format web: npm cannot fetch {wanted} ({reason}){otherwise}")
