"""Programs that measure something and write a table: `python -m experiments.studies.<name>`.

`runs`, `patients` and `interval_plot` are no programs, but what several of these share.
"""
