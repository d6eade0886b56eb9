"""The three public variants of cofe-Net's degradation."""

from typing import Literal

Variant = Literal["offline", "online", "published"]
"""`offline`: the released script, which most later papers copied. `online`: the data loader of the
released training code. `published`: inferred from the nine published parameter files.

A factor about which nothing is known in a variant is that of the offline script."""
