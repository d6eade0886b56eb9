"""Judge by a no-reference model of good photographs."""

from __future__ import annotations

from torch import Tensor

from data_modules.batch import Batch
from magenet.errors import UserError
from magenet.evaluation.judge import Judge
from magenet.metrics import NaturalnessModel


class NaturalnessJudge(Judge):
    """Judge in the manner of NIQE, with a model fitted on good fundus photographs.

    `naturalness`: distance from the model, lower is better. It needs no reference and has no notion
    of a retina: smooth invented texture can score well. Never rank by it alone.

    Args:
        path: File of the fitted model (`make judges` writes it).
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.model: NaturalnessModel | None = None

    def load(self) -> None:
        """Read the model.

        Raises:
            UserError: If the file is missing or cannot be read.
        """
        self.model = NaturalnessModel.load(self.path)

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        if self.model is None:
            raise UserError(f"{self.path}: not read yet; call load() first")
        return {"naturalness": self.model.score(image, batch["mask_fov"]).float()}
