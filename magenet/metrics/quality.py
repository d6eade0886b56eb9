"""Quality scores of a set of photographs, from quality grades."""

from __future__ import annotations

from torch import Tensor


def fiqa(grades: Tensor) -> Tensor:
    """Return the share of photographs graded good.

    Args:
        grades: 0 good, 1 usable, 2 reject, long `(N,)`.

    Returns:
        Scalar in [0, 1]; NaN for an empty set.

    References:
        The three grades are those of EyeQ: Fu et al., "Evaluation of Retinal Image Quality
        Assessment Networks in Different Color-spaces", MICCAI 2019.

    Example:
        >>> import torch
        >>> float(fiqa(torch.tensor([0, 0, 1, 2])))
        0.5
    """
    return (grades == 0).float().mean()


def wfqa(grades: Tensor) -> Tensor:
    """Return the weighted mean of quality grades: good counts 2, usable 1, reject 0.

    Args:
        grades: 0 good, 1 usable, 2 reject, long `(N,)`.

    Returns:
        (2 good + usable) / N, in [0, 2]; NaN for an empty set.

    Example:
        >>> import torch
        >>> float(wfqa(torch.tensor([0, 0, 1, 2])))
        1.25
    """
    return (2 - grades).float().mean()
