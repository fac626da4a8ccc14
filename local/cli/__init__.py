"""The command line: what `make run` and `make serve` call."""
