"""Speed of the package relative to the machine: `python -m experiments.benchmarks.speed`."""
