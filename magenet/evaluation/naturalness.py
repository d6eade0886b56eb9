"""How far a photograph is from good ones in the statistics of its texture."""

from __future__ import annotations

from torch import Tensor

from magenet.errors import UserError
from magenet.evaluation.judge import Batch, Judge
from magenet.metrics import NaturalnessModel


class NaturalnessJudge(Judge):
    """Score in the manner of NIQE, against a model fitted on good fundus photographs.

    `naturalness`: lower is nearer to good photographs. It needs no reference and knows no retina:
    smooth invention can please it. Never rank by it alone.

    Args:
        path: The fitted model (`make judges` writes it).
    """

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path
        self.model: NaturalnessModel | None = None

    def load(self) -> None:
        """Read the model.

        Raises:
            UserError: If there is none, or it cannot be read.
        """
        self.model = NaturalnessModel.load(self.path)

    def forward(self, image: Tensor, batch: Batch) -> dict[str, Tensor]:
        """See :meth:`Judge.forward`."""
        if self.model is None:
            raise UserError(f"{self.path}: not read yet: call load() first")
        return {"naturalness": self.model.score(image, batch["mask_fov"]).float()}
