"""The fundus check: what it lets through and what it refuses."""
