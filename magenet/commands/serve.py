"""Enhance photographs on a local web page: `magenet serve`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import get_args

from data_modules.files.memory_estimate import parsed_memory
from data_modules.files.writing import MetadataChoice
from magenet.commands.parser import CommandParser, add_enhancer_options
from magenet.enhancement.device import device_for
from magenet.enhancement.folder.results import FolderOptions
from magenet.errors import UsageError
from magenet.threads import use_one_thread

LONGEST_KEEP = 7 * 24 * 60
"""Minutes that photographs can be kept at most: a week (our choice)."""


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status.

    Raises:
        UserError: If an option is out of range, the extra `serve` is missing, or the address or the
            folder cannot be used.
    """
    try:
        from magenet.serving.limits import Limits
        from magenet.serving.private_folder import default_folder
        from magenet.serving.server import Address, serve
    except ImportError as error:
        raise UsageError(
            f"magenet serve needs: pip install 'magenet[serve]' ({error.name} is missing)"
        ) from None
    limits, address = Limits(), Address()
    parser = CommandParser(
        prog="magenet serve",
        description="Enhance fundus photographs on a web page, or through its REST API (/docs). "
        "It is for this machine alone unless --host says otherwise. Not a medical device.",
        epilog="Exit status: 0 after Ctrl-C or SIGTERM, 1 if the address or the folder cannot be "
        "used, 2 for a mistake on the command line.",
    )
    parser.add_argument(
        "--host",
        default=address.host,
        help="address to listen on; 0.0.0.0 for all machines that reach this one, which then need "
        "a token (default: %(default)s)",
    )
    parser.add_argument(
        "--port", type=int, default=address.port, help="port (default: %(default)s; 0: a free one)"
    )
    parser.add_argument(
        "--name",
        action="append",
        default=[],
        help="host name that browsers call the server by, such as that of a proxy in front of it; "
        "implies a token; may be given several times",
    )
    parser.add_argument(
        "--token",
        default=os.environ.get("MAGENET_TOKEN"),
        help="what clients must show (default: $MAGENET_TOKEN; else random where one is needed)",
    )
    parser.add_argument(
        "--keep",
        type=float,
        default=limits.keep,
        metavar="MINUTES",
        help="delete photographs and results so long after the upload (default: %(default)g)",
    )
    parser.add_argument(
        "--folder",
        type=Path,
        help="folder of the photographs until then, for the server alone (default: a private one "
        "among the temporary files)",
    )
    parser.add_argument(
        "--max-upload", default="200M", help="bytes of one request (default: %(default)s)"
    )
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=limits.pixels,
        help="pixels of one photograph (default: %(default)s)",
    )
    parser.add_argument(
        "--max-photographs",
        type=int,
        default=limits.photographs,
        help="photographs that are held at once (default: %(default)s)",
    )
    parser.add_argument(
        "--max-disk",
        default="4G",
        help="bytes of uploaded photographs that are held at once; results take as much again "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--metadata",
        choices=get_args(MetadataChoice),
        default="clinical",
        help="what results keep of the photograph's metadata, as for magenet enhance "
        "(default: %(default)s)",
    )
    add_enhancer_options(parser)
    options = parser.parse_args(arguments)
    if not 0 < options.keep <= LONGEST_KEEP:
        raise UsageError(f"--keep must be above 0 and at most {LONGEST_KEEP}, got {options.keep:g}")
    if not 0 <= options.port < 1 << 16:
        raise UsageError(f"--port must lie between 0 and 65535, got {options.port}")
    if min(options.max_pixels, options.max_photographs) < 1:
        raise UsageError("--max-pixels and --max-photographs must be at least 1")
    use_one_thread()  # the worker computes, in a thread of its own
    serve(
        Address(options.host, options.port, tuple(options.name), options.token),
        options.folder or default_folder(),
        Limits(
            parsed_memory(options.max_upload, "--max-upload"), options.max_pixels,
            options.max_photographs,
            parsed_memory(options.max_disk, "--max-disk"), options.keep,
        ),
        FolderOptions(
            options.weights, max_memory=parsed_memory(options.max_memory), metadata=options.metadata
        ),
        device_for(options.device),
    )  # fmt: skip
    return 0
