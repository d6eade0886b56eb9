"""How fast everything is, held against the machine: `python -m experiments.benchmarks.speed`."""
