"""The three variants of cofe-Net's degradation that exist in public."""

from typing import Literal

Variant = Literal["offline", "online", "published"]
"""`offline`: the released script, which most later papers copied. `online`: the loader that the
released training uses. `published`: what the nine published parameter files show.

Where nothing is known of a variant's factor, it is the offline script's."""
