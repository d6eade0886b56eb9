"""Export the network for other programs: `magenet export -o mage_net.onnx`."""

from __future__ import annotations

from pathlib import Path

from magenet.commands.parser import CommandParser
from magenet.onnx_export import MULTIPLE, export
from magenet.web_export.folder import export_web
from magenet.web_export.runtime import NAME, VERSION


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status."""
    parser = CommandParser(
        prog="magenet export",
        description="Export the network for other programs and compare it with PyTorch. "
        "Format onnx: one file. Input and output are float (B, 3, H, W) in [0, 1], H and W "
        f"multiples of {MULTIPLE}: the square around the field of view, at the size that the "
        "weights' config.json names. It is one pass of the network: `magenet enhance` adds the "
        "verdict and the transfer to the photograph's own size and, for weights that see the eye "
        "at one size, the mean of four flipped views and the shrinkage of light. Format web: a "
        "folder for any web server, with a page that enhances in the visitor's own browser; "
        "photographs never leave it.",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="file or folder to write")
    parser.add_argument(
        "--weights", default="mage_net", help="name, folder or hub id (default: %(default)s)"
    )
    parser.add_argument(
        "--format", choices=("onnx", "web"), default="onnx", help="format (default: %(default)s)"
    )
    parser.add_argument(
        "--onnxruntime", type=Path, metavar="FILE",
        help=f"with --format web: {NAME}-{VERSION}.tgz, where npm cannot fetch it",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    if options.format == "web":
        print(export_web(options.weights, options.out, options.onnxruntime))
        return 0
    if options.onnxruntime is not None:
        parser.error("--onnxruntime goes with --format web")
    print(export(options.weights, options.out))
    return 0
