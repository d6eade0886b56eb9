"""One module per command, each with a `main` that takes arguments and returns the exit status.

They share :mod:`magenet.commands.parser`; :mod:`magenet.commands.experiment_parser` is that of
Lightning's command line, and :mod:`magenet.commands.enhance_run` what `enhance` does once its
options are known.
"""
