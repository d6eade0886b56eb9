"""Short help of `magenet fit|validate|test|predict`, told without loading torch."""

from __future__ import annotations

import re
from textwrap import wrap
from typing import NamedTuple

WIDTH = 100
"""Columns of the help (our choice)."""

BASE = "experiments/configs/base.yaml"
RUNS = "experiments/configs/runs"

CONFIGS = """\
Configurations are in experiments/configs, in the project's folder:
  base.yaml   settings that all runs share; always the first
  runs/       one file is one run: phantoms (drawn retinas, nothing to download), photographs,
              comparison, judges, release, adaptation; classical.yaml, predict.yaml
  layers/     put on top of a run to change one thing: model, data, logging, debug, cluster
  tests/      what a test scores; sweeps/ are for magenet sweep
A later --config overrides an earlier one, and options override all. The first lines of a file say
what it is for, how long it takes and what to expect.
"""

OPTIONS = {
    "--config FILE": "configuration; give it several times",
    "--ckpt_path FILE": "checkpoint to start from; for fit also 'last', the latest of the run",
    "--trainer.max_steps N": "length of a training, in steps of the optimizer",
    "--trainer.devices N": "number of devices; see layers/cluster for several machines",
    "--trainer.precision P": "32-true, bf16-mixed; what the processor is faster in if not given",
    "--data.batch_size N": "photographs in a step, of each device",
    "--data.workers N": "processes that load photographs",
    "--output.folder DIR": "where predict writes",
    "--scores.judges LIST": "what a test scores; see tests/",
    "--print_config": "print the configuration that results, and stop",
    "--data.help CLASS": "options of a class of data_modules; --model.help: of magenet.tasks",
    "--help-all": "every option, Lightning's included (700 lines)",
}
"""The options that are used most; each subcommand shows those that it has a use for."""

ONLY = {
    "--trainer.max_steps N": ("fit",),
    "--trainer.devices N": ("fit", "predict"),
    "--output.folder DIR": ("predict",),
    "--scores.judges LIST": ("test",),
}
"""Subcommands that an option is for, where not for all."""


class Subcommand(NamedTuple):
    """What is told of a subcommand.

    Attributes:
        purpose: What it is for.
        examples: Three command lines after `magenet <name>`, by what they do; `BASE` and `RUNS`
            stand for paths. The first works in a clone of the repository.
    """

    purpose: str
    examples: dict[str, str]


SUBCOMMANDS = {
    "fit": Subcommand(
        "Train a network on photographs.",
        {
            "train on drawn retinas, some minutes on two cores": (
                "--config BASE --config RUNS/phantoms/supervised.yaml"
            ),
            "two steps of it, to see whether everything works": (
                "--config BASE --config RUNS/phantoms/supervised.yaml "
                "--config experiments/configs/layers/debug/limit.yaml"
            ),
            "go on with a training that was stopped": (
                "--config runs/latest/config.yaml --ckpt_path last"
            ),
        },
    ),
    "validate": Subcommand(
        "Score a network on the validation part.",
        {
            "score the best network of a training": (
                "--config BASE --config RUNS/phantoms/supervised.yaml --ckpt_path best.ckpt"
            ),
            "the latest training's, with the configuration that it left": (
                "--config runs/latest/config.yaml --ckpt_path runs/latest/checkpoints/best.ckpt"
            ),
            "a method without training": "--config BASE --config RUNS/classical.yaml",
        },
    ),
    "test": Subcommand(
        "Score a network photograph by photograph, per type of degradation.",
        {
            "test a network": (
                "--config BASE --config RUNS/phantoms/supervised.yaml --ckpt_path best.ckpt"
            ),
            "the latest training's, with the configuration that it left": (
                "--config runs/latest/config.yaml --ckpt_path runs/latest/checkpoints/best.ckpt"
            ),
            "a method without training": (
                "--config BASE --config RUNS/classical.yaml "
                "--model.network magenet.models.peers.Setiawan"
            ),
        },
    ),
    "predict": Subcommand(
        "Enhance photographs with a trained network.",
        {
            "enhance a folder": (
                "--config BASE --config RUNS/predict.yaml --data.photographs PHOTOS "
                "--ckpt_path best.ckpt"
            ),
            "into another folder, as PNG": (
                "--config BASE --config RUNS/predict.yaml --data.photographs PHOTOS "
                "--ckpt_path best.ckpt --output.folder OUT --output.lossless true"
            ),
            "as the network left it, without flipped views": (
                "--config BASE --config RUNS/predict.yaml --data.photographs PHOTOS "
                "--ckpt_path best.ckpt --output.raw true"
            ),
        },
    ),
}
"""What is told of each subcommand, by its name."""


def example(name: str) -> str:
    """Return a command line of a subcommand that works in a clone of the repository.

    Args:
        name: Of the subcommand.

    Example:
        >>> example("fit")[:52]
        'magenet fit --config experiments/configs/base.yaml -'
    """
    return _command(name, next(iter(SUBCOMMANDS[name].examples.values())))


def short_help(name: str) -> str:
    """Return what `--help` shows of a subcommand: three examples, the configurations, options.

    Args:
        name: Of the subcommand.
    """
    lines = [
        f"usage: magenet {name} --config {BASE} --config RUN",
        "         [--config LAYER ...] [--OPTION VALUE ...]",
        "",
        SUBCOMMANDS[name].purpose,
        "",
    ]
    for what, arguments in SUBCOMMANDS[name].examples.items():
        # An option is not parted from its value.
        whole = re.sub(r"(--\S+) ", "\\1\0", _command(name, arguments))
        parts = wrap(whole, WIDTH - 6, break_on_hyphens=False, break_long_words=False)
        lines += [f"  {what}:", "    " + " \\\n      ".join(parts).replace("\0", " ")]
    lines += ["", CONFIGS, "Options used most:"]
    for option, description in OPTIONS.items():
        if name in ONLY.get(option, (name,)):
            lines.append(f"  {option:<22} {description}")
    return "\n".join(lines)


def _command(name: str, arguments: str) -> str:
    """Return the command line of an example."""
    return f"magenet {name} " + arguments.replace("RUNS", RUNS).replace("BASE", BASE)
