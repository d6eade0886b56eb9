"""Short help of `magenet fit|validate|test|predict`, printed without loading torch."""

from __future__ import annotations

import re
from textwrap import wrap
from typing import NamedTuple

WIDTH = 100
"""Columns of the help (our choice)."""

CONFIGS = """\
A configuration is a YAML file, or magenet:NAME for one of those in experiments/configs, which are
in the package, too (magenet: alone lists them):
  base        settings that all runs share; comes first by itself before a run that is named
  runs/       a run, named without runs/: phantoms/... (drawn retinas, nothing to download),
              photographs, comparison, judges, release, adaptation; classical, predict
  layers/     put on top of a run to change one thing: model, data, logging, debug, cluster, gpu
  tests/      what a test scores; sweeps/ are for magenet sweep; paper/ is the paper's protocol
A later --config overrides an earlier one, and options override all. The first lines of a file say
what it is for, how long it takes and what to expect. Weights that some name (experiments/weights)
and their photographs are not in the package.
"""

OPTIONS = {
    "--config FILE": "configuration, or magenet:NAME; give it several times",
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
    """The help of a subcommand.

    Attributes:
        purpose: What it is for.
        examples: Three command lines after `magenet <name>`, by what they do. The first works
            in any folder.
    """

    purpose: str
    examples: dict[str, str]


SUBCOMMANDS = {
    "fit": Subcommand(
        "Train a network on photographs.",
        {
            "train on drawn retinas, some minutes on two cores": (
                "--config magenet:phantoms/supervised"
            ),
            "two steps of it, to see whether everything works": (
                "--config magenet:phantoms/supervised --config magenet:layers/debug/limit"
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
                "--config magenet:phantoms/supervised --ckpt_path best.ckpt"
            ),
            "the latest training's, with the configuration that it left": (
                "--config runs/latest/config.yaml --ckpt_path runs/latest/checkpoints/best.ckpt"
            ),
            "a method without training": "--config magenet:classical",
        },
    ),
    "test": Subcommand(
        "Score a network photograph by photograph, per type of degradation.",
        {
            "test a network": ("--config magenet:phantoms/supervised --ckpt_path best.ckpt"),
            "the latest training's, with the configuration that it left": (
                "--config runs/latest/config.yaml --ckpt_path runs/latest/checkpoints/best.ckpt"
            ),
            "a method without training": (
                "--config magenet:classical --model.network magenet.models.peers.Setiawan"
            ),
        },
    ),
    "predict": Subcommand(
        "Enhance photographs with a trained network.",
        {
            "enhance a folder": (
                "--config magenet:predict --data.photographs PHOTOS --ckpt_path best.ckpt"
            ),
            "into another folder, as PNG": (
                "--config magenet:predict --data.photographs PHOTOS "
                "--ckpt_path best.ckpt --output.folder OUT --output.lossless true"
            ),
            "one pass of the network as it is": (
                "--config magenet:predict --data.photographs PHOTOS "
                "--ckpt_path best.ckpt --output.raw true"
            ),
        },
    ),
}
"""The help of each subcommand, by its name."""


def example(name: str) -> str:
    """Return a command line of a subcommand that works in any folder.

    Args:
        name: Of the subcommand.

    Example:
        >>> example("fit")
        'magenet fit --config magenet:phantoms/supervised'
    """
    return f"magenet {name} {next(iter(SUBCOMMANDS[name].examples.values()))}"


def short_help(name: str) -> str:
    """Return what `--help` shows of a subcommand: three examples, the configurations, options.

    Args:
        name: Of the subcommand.
    """
    lines = [
        f"usage: magenet {name} --config magenet:RUN [--config LAYER ...] [--OPTION VALUE ...]",
        "",
        SUBCOMMANDS[name].purpose,
        "",
    ]
    for what, arguments in SUBCOMMANDS[name].examples.items():
        # An option is not parted from its value.
        whole = re.sub(r"(--\S+) ", "\\1\0", f"magenet {name} {arguments}")
        parts = wrap(whole, WIDTH - 6, break_on_hyphens=False, break_long_words=False)
        lines += [f"  {what}:", "    " + " \\\n      ".join(parts).replace("\0", " ")]
    lines += ["", CONFIGS, "Options used most:"]
    for option, description in OPTIONS.items():
        if name in ONLY.get(option, (name,)):
            lines.append(f"  {option:<22} {description}")
    return "\n".join(lines)
