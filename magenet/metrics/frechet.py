"""The distance of two sets of photographs by their features."""

from __future__ import annotations

import torch
from torch import Tensor


def frechet_distance(features_a: Tensor, features_b: Tensor) -> float:
    """Return the squared Fréchet distance of two sets, each taken as one Gaussian.

    It is too large for small sets, the more so the fewer rows and the more features: compare
    distances of equally many rows only, and take no number seriously with fewer rows than
    features. With FID's network for the features this is FID; any network's do.

    Args:
        features_a: `(n, d)`, one row a photograph.
        features_b: `(m, d)`.

    Returns:
        At least 0, which equal means and covariances have.

    Raises:
        ValueError: If a set has fewer than two rows or the features differ in number.

    References:
        Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash
        equilibrium", NeurIPS 2017, equation 6; Chong and Forsyth, "Effectively unbiased FID and
        Inception Score and where to find them", CVPR 2020, for the bias.

    Example:
        >>> features = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> round(frechet_distance(features + 2.0, features), 6)
        8.0
    """
    if features_a.ndim != 2 or features_b.ndim != 2 or features_a.shape[1] != features_b.shape[1]:
        raise ValueError(
            f"cannot compare features {tuple(features_a.shape)} with {tuple(features_b.shape)}"
        )
    if min(len(features_a), len(features_b)) < 2:
        raise ValueError("a set of features needs at least two rows for its covariance")
    one, other = features_a.double(), features_b.double()
    apart = (one.mean(dim=0) - other.mean(dim=0)).square().sum()
    cov_one, cov_other = _covariance(one), _covariance(other)
    # tr (AB)^(1/2) from the symmetric R B R with R = A^(1/2): the same eigenvalues, all real.
    values, vectors = torch.linalg.eigh(cov_one)
    root = (vectors * values.clamp(min=0.0).sqrt()) @ vectors.mT
    shared = torch.linalg.eigvalsh(root @ cov_other @ root).clamp(min=0.0).sqrt().sum()
    distance = apart + cov_one.trace() + cov_other.trace() - 2 * shared
    return float(distance.clamp(min=0.0))


def _covariance(features: Tensor) -> Tensor:
    """Return the covariance `(d, d)` of rows `(n, d)`."""
    centred = features - features.mean(dim=0)
    return centred.mT @ centred / (len(features) - 1)
