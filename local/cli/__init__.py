"""The command line, which `make run` and `make serve` call."""
