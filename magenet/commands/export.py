"""Write the network in a form that other programs run: `magenet export -o mage_net.onnx`."""

from __future__ import annotations

import argparse
from pathlib import Path

from magenet.onnx_export import MULTIPLE, export


def main(arguments: list[str]) -> int:
    """Export, compare, and say size and speed; return the exit status."""
    own = argparse.ArgumentParser(
        prog="magenet export",
        description="Write the network for other programs. It takes and gives photographs as float "
        f"(B, 3, H, W) in [0, 1], H and W multiples of {MULTIPLE}: the square around the field, at "
        "the size that the weights' config.json names. It is one pass of the network: `magenet "
        "enhance` takes the mean of four views, applies a share of the change of light, and "
        "carries the change to the photograph's own size. Compared with PyTorch's.",
    )
    own.add_argument("-o", "--out", type=Path, required=True, help="file to write")
    own.add_argument(
        "--weights", default="mage_net", help="name, folder or hub id (default: %(default)s)"
    )
    own.add_argument("--format", choices=("onnx",), default="onnx")
    options = own.parse_args(arguments)
    print(export(options.weights, options.out))
    return 0
