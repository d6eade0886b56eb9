"""Using a trained network on photographs as they come."""

from magenet.inference.transfer import transfer
from magenet.inference.writer import EnhancedPhotographWriter

__all__ = ["EnhancedPhotographWriter", "transfer"]
