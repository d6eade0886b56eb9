"""What MAGE-Net is compared with, behind the same forward."""

from magenet.models.peers.classical import CLAHE, Identity

__all__ = ["CLAHE", "Identity"]
