"""What MAGE-Net is compared with, behind the same forward."""

from magenet.models.peers.classical import CLAHE, Identity
from magenet.models.peers.mprnet import MPRNet

__all__ = ["CLAHE", "Identity", "MPRNet"]
