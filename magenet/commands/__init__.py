"""One file per command, each with a `main` that takes its arguments and returns the exit status."""
