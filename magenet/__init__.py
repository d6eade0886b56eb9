"""MAGE-Net: teacher-student enhancement of fundus photographs.

import magenet

result = magenet.enhance("eye.jpg")     # a path, or an array (H, W, 3)
result.image, result.uncertainty, result.report.verdict
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from magenet.installation import INSTALLED, share_name, version

if TYPE_CHECKING:
    from magenet.enhancement.api import Enhanced, enhance
    from magenet.models import MAGENet

    __version__: str

__all__ = ["Enhanced", "MAGENet", "__version__", "enhance"]

if not INSTALLED:  # where it is installed, only the command line does: the name is not ours there
    share_name()


def __getattr__(name: str) -> object:
    """Import a public name on first use: `magenet --help` must not load torch."""
    if name == "__version__":
        return version()
    if name == "MAGENet":
        from magenet.models import MAGENet

        return MAGENet
    if name in ("Enhanced", "enhance"):
        from magenet.enhancement import api

        value: object = getattr(api, name)
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
