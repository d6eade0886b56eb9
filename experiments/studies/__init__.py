"""Programs that answer a question and write a table: `python -m experiments.studies.<name>`."""
