"""Networks for `torch.hub.load("<owner>/magenet", "mage_net", trust_repo=True)`.

They are networks alone. `magenet.enhance` adds the check that a photograph shows a fundus, the
transfer to its own size, and the verdict.
"""

from magenet.models import MAGENet, VesselSegmenter

dependencies = ["huggingface_hub", "kornia", "safetensors", "torch"]


def mage_net(pretrained: bool = True) -> MAGENet:
    """Return the enhancer; its input is a photograph `(B, 3, H, W)` in [0, 1].

    It is the square around the field of view, black outside the field, 512 to 2048 px wide.

    Args:
        pretrained: Whether it has the released weights, in evaluation mode; else it is the size
            `compact`, untrained.
    """
    return MAGENet.from_pretrained("mage_net") if pretrained else MAGENet.from_name("compact")


def vessels(pretrained: bool = True) -> VesselSegmenter:
    """Return the vessel segmenter that verdicts use: `(B, 3, H, W)` in [0, 1] to logits.

    Args:
        pretrained: Whether it has the package's weights, in evaluation mode.
    """
    return VesselSegmenter.from_pretrained("vessels") if pretrained else VesselSegmenter()
