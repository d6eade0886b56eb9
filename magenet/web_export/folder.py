"""The folder that `magenet export --format web` writes: page, network, runtime."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_modules.datasets.phantom import draw_phantom
from data_modules.files.reading import MINIMUM_SIDE, MOST_ELONGATED
from magenet.atomic_write import make_folder
from magenet.enhancement.enhancer import PhotographEnhancer
from magenet.enhancement.settings import Settings
from magenet.enhancement.verdict import ERROR_LIMITS
from magenet.errors import UserError
from magenet.imaging.crop import crop
from magenet.imaging.field_of_view import LEAST_CONFIDENCE, estimate_field
from magenet.installation import version
from magenet.models import MAGENet, VesselSegmenter
from magenet.models.pretrained import tensor_hash
from magenet.onnx_export import OWN_SCALE, TOLERANCE, exportable
from magenet.web_export.graphs import write_graphs
from magenet.web_export.runtime import NAME, VERSION, write_runtime

PAGE = Path(__file__).with_name("page")
"""What the page consists of: HTML, CSS and JavaScript."""

DRAWS = 1200
"""Random numbers that :func:`magenet.imaging.field_of_view.estimate_field` draws: 400 triples."""


def export_web(weights: str, out: Path, runtime: Path | None = None) -> str:
    """Write a folder with a page that enhances photographs, and return a line on it.

    Args:
        weights: See :meth:`magenet.models.MAGENet.from_pretrained`.
        out: Folder to write. It appears under its name only once it is complete and compared.
        runtime: The package `onnxruntime-web` as a file; fetched by npm if None.

    Raises:
        UserError: If the weights, their settings or a package are missing, the folder is there
            already, or the graphs differ from PyTorch by more than
            :data:`magenet.onnx_export.TOLERANCE`.
    """
    network = exportable(weights)
    settings = Settings.of(network)
    side = side_on_page(settings)
    with _whole_folder(out) as part:
        write_runtime(part / "onnxruntime-web", runtime)
        write_graphs(part, network, settings, side)
        deviation, seconds, torch_seconds = compared(part, network, settings, side)
        if not deviation <= TOLERANCE:  # nor NaN
            raise UserError(
                f"{out}: not written, since the exported network differs by {deviation:.2g} from "
                f"PyTorch (at most {TOLERANCE:g})"
            )
        for file in PAGE.iterdir():
            shutil.copyfile(file, part / file.name)
        text = json.dumps(page_settings(network, settings, side))
        (part / "settings.json").write_text(text, encoding="utf-8")
        size = sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
    return (
        f"{out}: {size / 1e6:.1f} MB, within {deviation:.1e} of PyTorch; at {side} px "
        f"{seconds:.2f} s by onnxruntime, {torch_seconds:.2f} s by PyTorch in fp32; to try "
        f"it: python -m http.server --directory {out}"
    )


def side_on_page(settings: Settings) -> int:
    """Return the side at which the page's network sees the square around the field, in pixels.

    The graph of a network that works at the photograph's own scale has one size: the one at which
    such networks are exported, within what its settings allow.
    """
    return settings.side(OWN_SCALE[0][-1])


def page_settings(network: MAGENet, settings: Settings, side: int) -> dict[str, Any]:
    """Return the settings of the page, as they are written to `settings.json`."""
    # The generator of PyTorch, and the numbers that it draws below n are these modulo n.
    draws = np.random.RandomState(0).randint(0, 1 << 32, DRAWS, dtype=np.uint32)
    return {
        "version": version(),
        "weights_sha256": tensor_hash(network.state_dict()),
        "runtime": f"{NAME} {VERSION}",
        "side": side,
        "own_scale": network.own_scale,
        "greatest_side": settings.sides()[1],
        "minimum_side": MINIMUM_SIDE,
        "most_elongated": MOST_ELONGATED,
        "least_confidence": LEAST_CONFIDENCE,
        "error_limits": ERROR_LIMITS,
        "draws": draws.tolist(),
    }


def compared(
    folder: Path, network: MAGENet, settings: Settings, side: int
) -> tuple[float, float, float]:
    """Compare the graphs with :meth:`PhotographEnhancer.estimate` on a dark drawn retina.

    Returns:
        The greatest absolute difference of the change, and the seconds of both.
    """
    import onnxruntime

    paths = [str(folder / f"{name}.onnx") for name in ("shown", "network", "change")]
    shown, one_view, change = (
        onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]) for path in paths
    )
    # Dark: a network may leave a good photograph as it is, and nothing would be compared.
    image = draw_phantom(0, side + side // 4).image // 2
    field = estimate_field(image)
    square = crop(image, field.square).permute(1, 2, 0).numpy()
    square = np.concatenate([square, np.full_like(square[..., :1], 255)], axis=2)
    start = time.perf_counter()
    mask = crop(field.mask, field.square)[0].numpy()
    views, inside = shown.run(None, {"square": square, "mask": mask})
    names = [output.name for output in one_view.get_outputs()]
    outputs = [one_view.run(None, {"view": view[None]}) for view in views]
    of_views = map(np.concatenate, zip(*outputs, strict=True))
    predicted = dict(zip(names, of_views, strict=True))
    given = change.run(["change"], {**predicted, "seen": views[:1], "inside": inside})[0]
    middle = time.perf_counter()
    enhancer = PhotographEnhancer(
        network, settings, VesselSegmenter(), torch.device("cpu"), 1 << 62, half=False
    )
    mask_seen = torch.from_numpy(inside[0])
    wanted = enhancer.estimate(torch.from_numpy(views[0]), mask_seen).change
    seconds = middle - start, time.perf_counter() - middle
    difference = (torch.from_numpy(given) - wanted).abs() * mask_seen
    return float(difference.max()), *seconds


@contextlib.contextmanager
def _whole_folder(out: Path) -> Iterator[Path]:
    """Yield a hidden folder beside the one to write, which gets its name on exit.

    Raises:
        UserError: If the folder is there already, or cannot be written.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: is there already; name another folder, or remove it")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        make_folder(part)
        yield part
        if out.exists():
            out.rmdir()  # empty
        part.replace(out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error})") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
