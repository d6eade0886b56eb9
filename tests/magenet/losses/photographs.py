"""A batch of photographs that the tests of losses share."""

import torch

CLEAN = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(0))
MASK = torch.zeros(2, 1, 24, 24)
MASK[..., 6:18, 6:18] = 1.0
