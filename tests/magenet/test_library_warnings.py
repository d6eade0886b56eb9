"""What libraries say is silenced only where it tells a user nothing."""

import logging
from pathlib import Path

import pytest
from lightning.pytorch import Trainer
from lightning.pytorch.demos.boring_classes import BoringModel

from magenet.library_warnings import silence_libraries


def test_saving_does_not_talk_of_loading(tmp_path: Path) -> None:
    """Lightning tells at every checkpoint that `weights_only` is False: of what it saves."""
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("lightning.pytorch.trainer.connectors.checkpoint_connector")
    logger.addHandler(handler)
    trainer = Trainer(
        accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False
    )
    trainer.strategy.connect(BoringModel())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logger, "filters", [])
        patch.setattr(logger, "level", logging.INFO)  # whatever other tests left
        patch.setattr(logger, "_cache", {})
        trainer.save_checkpoint(tmp_path / "as_it_is.ckpt")
        assert any("`weights_only` was not set" in text for text in said), "else drop the filter"
        said.clear()
        silence_libraries()
        trainer.save_checkpoint(tmp_path / "silenced.ckpt")
        logger.info("Restored all states")
    logger.removeHandler(handler)
    assert said == ["Restored all states"]
