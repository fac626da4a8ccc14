"""The command line that `make run` and `make serve` call."""
