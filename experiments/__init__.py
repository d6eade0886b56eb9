"""Configurations, studies, benchmarks, results and weights of the experiments."""
