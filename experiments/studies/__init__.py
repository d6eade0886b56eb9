"""Programs that measure something and write a table: `python -m experiments.studies.<name>`."""
