"""Many photographs into a folder: what `magenet enhance` and `magenet serve` do."""
