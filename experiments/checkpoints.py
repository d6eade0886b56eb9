"""Networks of checkpoints of enhancement tasks."""

from __future__ import annotations

from pathlib import Path

from experiments.configurations import build
from magenet.checkpoints import read_checkpoint, read_network
from magenet.models import MAGENet


def load_network(checkpoint: Path, subject: str) -> MAGENet:
    """Return the network of a checkpoint, its `teacher` or its `student`."""
    content = read_checkpoint(checkpoint, "train it first ('make train-release')")
    network = build(MAGENet, content["hyper_parameters"]["network"])
    prefix = "teacher.network." if subject == "teacher" else "network."
    read_network(network, checkpoint, "train it first ('make train-release')", prefix)
    return network.eval()
