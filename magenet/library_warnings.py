"""Warnings of libraries that tell a user nothing."""

from __future__ import annotations

import logging
import warnings


def silence_libraries() -> None:
    """Silence the warnings that a user cannot act on, message by message."""
    for message in (
        # torchdata 0.11 and Lightning 2.6.6 call what torch 2.13 has deprecated.
        "'set_vital' is deprecated",
        ".*isinstance.treespec, LeafSpec.* is deprecated",
        # The teacher and a frozen segmenter are meant to be in evaluation mode.
        "Found .* module.s. in eval mode at the start of training",
        # The model summary counts parameters; it does not run them.
        "Precision bf16-mixed is not supported by the model summary",
        # Said in other words at the end: the training had no validation yet, or none at all.
        r"`ModelCheckpoint\(monitor=.*\)` could not find the monitored key",
        # The words of the command line, with paths in place of named configurations.
        "LightningCLI's args parameter is intended to run from within Python",
    ):
        warnings.filterwarnings("ignore", message=message)
    # Lightning recommends its makers' logger before every run, and says of every checkpoint that it
    # saves the whole state, in words that sound as if it loaded pickled objects.
    for module in ("utilities.rank_zero", "trainer.connectors.checkpoint_connector"):
        logging.getLogger(f"lightning.pytorch.{module}").addFilter(_is_about_the_run)


def _is_about_the_run(record: logging.LogRecord) -> bool:
    """Return whether a log message is about the run, and no advertisement or alarm."""
    message = record.getMessage()
    return "litlogger" not in message and "`weights_only` was not set" not in message
