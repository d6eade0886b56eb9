"""Export the network for other programs: `magenet export -o mage_net.onnx`."""

from __future__ import annotations

from pathlib import Path

from magenet.commands.parser import CommandParser
from magenet.onnx_export import MULTIPLE, export


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status."""
    parser = CommandParser(
        prog="magenet export",
        description="Export the network for other programs and compare it with PyTorch. Input and "
        f"output are float (B, 3, H, W) in [0, 1], H and W multiples of {MULTIPLE}: the square "
        "around the field of view, at the size that the weights' config.json names. It is one pass "
        "of the network: `magenet enhance` takes the mean of four flipped views, applies a share "
        "of the change of light, and transfers the change to the photograph's own size.",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="file to write")
    parser.add_argument(
        "--weights", default="mage_net", help="name, folder or hub id (default: %(default)s)"
    )
    parser.add_argument(
        "--format", choices=("onnx",), default="onnx", help="format (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    print(export(options.weights, options.out))
    return 0
