"""Calibrate a trained network on the val photographs and publish it in the package."""
