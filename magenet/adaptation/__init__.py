"""Adaptation of a released network to a camera: survey, train, judge on held-out photographs."""
