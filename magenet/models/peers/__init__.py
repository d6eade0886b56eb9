"""Methods that MAGE-Net is compared with, behind the same interface.

Deviation of all learned ones from their papers: the input is standardised
(:class:`magenet.models.enhancer.Standardise`), as for MAGE-Net.
"""

from magenet.models.peers.classical import CLAHE, BenGraham, Identity, Setiawan, UnsharpMask
from magenet.models.peers.cofe_net import CofeNet
from magenet.models.peers.dark_channel import DarkChannelPrior
from magenet.models.peers.double_pass import DPFR, MUTE
from magenet.models.peers.gfe_net import GFENet
from magenet.models.peers.global_local import GlobalLocalContrast
from magenet.models.peers.i_secret import ISecretGenerator
from magenet.models.peers.mprnet import MPRNet
from magenet.models.peers.nafnet import NAFNet
from magenet.models.peers.unet import UNet

__all__ = [
    "CLAHE",
    "DPFR",
    "MUTE",
    "BenGraham",
    "CofeNet",
    "DarkChannelPrior",
    "GFENet",
    "GlobalLocalContrast",
    "ISecretGenerator",
    "Identity",
    "MPRNet",
    "NAFNet",
    "Setiawan",
    "UNet",
    "UnsharpMask",
]
