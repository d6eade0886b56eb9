"""What the package is used for here: configurations, studies, benchmarks, results, weights."""
