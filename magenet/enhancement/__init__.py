"""Using a trained network on photographs as they come."""
