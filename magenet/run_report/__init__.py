"""What a training and its tests left, on one page: `magenet report`."""
